"""Reads a commit out of a git bundle without a git binary, and trusts nothing in it.

The ids of a pack's objects are computed here from their content, so an object that is found under an id has
that hash. Sizes are checked as they are declared, before anything is inflated; dulwich in turn never
inflates an object, or applies a delta, beyond its declared size.
Formats: git's "gitformat-bundle" and "gitformat-pack".
"""

from __future__ import annotations

import mmap
import shutil
import struct
import zlib
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from dulwich.errors import ApplyDeltaError, ChecksumMismatch, FileFormatException
from dulwich.object_format import SHA1, SHA256, ObjectFormat
from dulwich.objects import Commit as GitCommit
from dulwich.objects import ShaFile, Tree, parse_tree
from dulwich.pack import Pack, PackData, UnresolvedDeltas

from tidegate.domain.errors import InvalidSource
from tidegate.domain.identity import Frozen
from tidegate.domain.sources import MAX_FILE, MAX_INFLATED

if TYPE_CHECKING:
    from pathlib import Path

FORMATS: Final = {b"sha1": SHA1, b"sha256": SHA256}
MAX_LINES: Final = 10_000
MAX_LINE: Final = 8192
CHUNK: Final = 1 << 16
OFS_DELTA: Final = 6
REF_DELTA: Final = 7
REMEDY: Final = "write the bundle with `tidegate push`"
# What reading a damaged pack can end in.
DAMAGE: Final = (
    ApplyDeltaError,
    ChecksumMismatch,
    FileFormatException,
    UnresolvedDeltas,
    AssertionError,
    BufferError,  # a mapping cannot be closed while an error's frames still hold views of it
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


class Header(Frozen):
    """A bundle's header: the ids that its references name, and whether it builds on commits it lacks."""

    references: frozenset[str]
    has_prerequisites: bool
    sha256: bool


class TreeEntry(NamedTuple):
    """A line of a tree."""

    name: bytes
    mode: int
    object_id: str


class Bundle:
    """The objects of a bundle, found by their ids (hexadecimal)."""

    def __init__(self, header: Header, pack: Pack) -> None:
        self.header = header
        self._pack = pack

    def read(self, object_id: str, kind: type[ShaFile]) -> bytes:
        """An object's bytes; InvalidSource where the bundle lacks it, or where it is of another kind."""
        try:
            number, body = self._pack.get_raw(object_id.encode())
        except KeyError:
            hint = "; it was made against commits that are not in it" if self.header.has_prerequisites else ""
            raise InvalidSource(f"the bundle is incomplete: it lacks {object_id}{hint}; {REMEDY}") from None
        except DAMAGE as error:
            raise InvalidSource(f"the bundle is damaged at {object_id}: {error}") from error
        if number != kind.type_num:
            raise InvalidSource(f"{object_id} is no {kind.type_name.decode()}")
        return bytes(body)

    def root_of(self, commit_id: str) -> str:
        """The id of the tree of a commit that one of the bundle's references names."""
        if commit_id not in self.header.references:
            raise InvalidSource(f"no reference of the bundle names commit {commit_id}; {REMEDY}")
        first = self.read(commit_id, GitCommit).partition(b"\n")[0].decode("ascii", "replace")
        return first.removeprefix("tree ")

    def entries(self, tree_id: str) -> list[TreeEntry]:
        """The entries of a tree as they stand, two of one name included."""
        body, length = self.read(tree_id, Tree), SHA256.oid_length if self.header.sha256 else SHA1.oid_length
        try:
            return [TreeEntry(name, mode, found.decode()) for name, mode, found in parse_tree(body, length)]
        except DAMAGE as error:
            raise InvalidSource(f"the bundle is damaged at {tree_id}: {error}") from error

    def close(self) -> None:
        """Let go of the files; a mapping that an error still holds goes with that error."""
        with suppress(BufferError):
            self._pack.close()


def open_bundle(file: Path, folder: Path) -> Bundle:
    """Index a bundle's pack in `folder` (left there for the caller to remove)."""
    packed = folder / "source.pack"
    with file.open("rb") as bundle:
        header = read_header(bundle)
        with packed.open("wb") as pack:
            shutil.copyfileobj(bundle, pack)
    kind = SHA256 if header.sha256 else SHA1
    try:
        check_sizes(packed, kind)
        with PackData(packed, object_format=kind) as data:
            data.create_index(folder / "source.idx", version=2)
        return Bundle(header, Pack(str(folder / "source"), object_format=kind))
    except DAMAGE as error:
        built_on = ", or it was made against commits that are not in it" if header.has_prerequisites else ""
        reason = str(error) or type(error).__name__
        raise InvalidSource(f"the bundle is damaged{built_on} ({reason}); {REMEDY}") from error


def read_header(bundle: IO[bytes]) -> Header:
    """Read up to the pack; InvalidSource where it is no bundle of version 2 or 3."""
    if bundle.readline(MAX_LINE) not in {b"# v2 git bundle\n", b"# v3 git bundle\n"}:
        raise InvalidSource(f"the file is no git bundle; {REMEDY}")
    references: set[str] = set()
    has_prerequisites = sha256 = False
    for _ in range(MAX_LINES):
        line = bundle.readline(MAX_LINE)
        if line == b"\n":
            return Header(
                references=frozenset(references), has_prerequisites=has_prerequisites, sha256=sha256
            )
        if line.startswith(b"@"):
            sha256 = _read_capability(line[1:].strip()) or sha256
        elif line.startswith(b"-"):
            has_prerequisites = True
        else:
            references.add(line.partition(b" ")[0].decode("ascii", "replace"))
    raise InvalidSource(f"the bundle's header is longer than {MAX_LINES} lines")


def check_sizes(packed: Path, kind: ObjectFormat) -> None:
    """Add up what a pack's objects say that they are, and stop before inflating more than is allowed."""
    with packed.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as contents:
        signature, _version, count = struct.unpack_from(">4sII", contents)
        if signature != b"PACK":
            raise InvalidSource(f"the bundle holds no pack; {REMEDY}")
        position, total = 12, 0
        for _ in range(count):
            position, size = _measure_object(contents, position, kind.oid_length)
            total += size
            if total > MAX_INFLATED:
                raise InvalidSource(f"the bundle unpacks to more than {MAX_INFLATED:,} bytes; {REMEDY}")


def _read_capability(capability: bytes) -> bool:
    name, _, value = capability.partition(b"=")
    if name != b"object-format" or value not in FORMATS:
        raise InvalidSource(f"the bundle asks for {capability.decode('ascii', 'replace')}; {REMEDY}")
    return value == b"sha256"


def _measure_object(contents: mmap.mmap, position: int, id_length: int) -> tuple[int, int]:
    first = contents[position]
    kind, size, shift = (first >> 4) & 7, first & 15, 4
    while contents[position] & 0x80:
        position += 1
        size |= (contents[position] & 0x7F) << shift
        shift += 7
    position += 1
    if kind == OFS_DELTA:
        while contents[position] & 0x80:
            position += 1
        position += 1
    elif kind == REF_DELTA:
        position += id_length
    if size > MAX_FILE:
        raise InvalidSource(f"the bundle holds an object of {size:,} bytes; at most {MAX_FILE:,} are allowed")
    end, head = _skip_stream(contents, position, size)
    return end, max(size, _delta_target(head)) if kind in {OFS_DELTA, REF_DELTA} else size


def _skip_stream(contents: mmap.mmap, position: int, size: int) -> tuple[int, bytes]:
    """Inflate a stream piece by piece; its end, and its first bytes."""
    inflater = zlib.decompressobj()
    head, length, waiting = b"", 0, b""
    while not inflater.eof:
        if not waiting:
            waiting = contents[position : position + CHUNK]
            position += len(waiting)
            if not waiting:
                raise EOFError("an object ends too early")
        piece = inflater.decompress(waiting, CHUNK)
        waiting = inflater.unconsumed_tail
        head = head or piece[:32]
        length += len(piece)
        if length > size:
            raise ValueError("an object is larger than it says")
    return position - len(inflater.unused_data), head


def _delta_target(head: bytes) -> int:
    """The size that a delta says its result has; it follows the size of its base."""
    sizes, size, shift = [], 0, 0
    for byte in head:
        size |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            sizes.append(size)
            size = shift = 0
    target = sizes[1]
    if target > MAX_FILE:
        raise InvalidSource(
            f"the bundle holds an object of {target:,} bytes; at most {MAX_FILE:,} are allowed"
        )
    return target
