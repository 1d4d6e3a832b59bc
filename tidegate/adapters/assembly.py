"""Assembles a zip out of fragments: bytes are copied as they are, and hashed while they are written.

Nothing is deflated or inflated here, but to compare two wheels that claim one path with as many bytes and the
same checksum. Where the service's own code and a wheel hold a path, the code wins. The zip depends on its
parts alone: fragments in the order given, then the code, then a central directory sorted by path.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from tidegate.adapters.entries import DEFLATED, LOCAL, DamagedZip, Entry, end_of, local_header, read_index
from tidegate.domain.artifacts import MAX_UNZIPPED
from tidegate.domain.errors import BuildFailed
from tidegate.domain.wheels import find_clash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

PIECE: Final = 1 << 20


class Part(NamedTuple):
    """Entries out of a zip of our form, under the paths that they get; `name` is for messages.

    `whole` is how many bytes of the file can be copied as they are: 0 where paths are others than there.
    """

    name: str
    file: Path
    entries: tuple[Entry, ...]
    whole: int = 0


class Assembled(NamedTuple):
    """What was written: the SHA-256 (hex) and size of the zip, and the size that it unpacks to."""

    sha256: str
    size: int
    unzipped: int


def read_part(file: Path, name: str) -> Part:
    """All of a zip of our form."""
    index = read_index(file)
    return Part(name, file, index.entries, index.end)


def move(part: Part, place: Callable[[str], str | None]) -> Part:
    """A part under other paths; what gets None is left out."""
    moved = ((place(entry.path), entry) for entry in part.entries)
    return Part(
        part.name, part.file, tuple(entry._replace(path=path) for path, entry in moved if path is not None)
    )


def assemble(
    file: Path, wheels: Sequence[Part], code: Part | None, name: str, most: int | None = None
) -> Assembled:
    """Write a zip of wheels and code; `name` is what it is for, in messages.

    BuildFailed where two wheels hold other bytes under one path, and where it unpacks to more than `most`,
    by default what Lambda allows.
    """
    parts = [*wheels, *([code] if code else [])]
    owners = _choose(wheels, code)
    if clash := find_clash(owners.keys()):
        raise BuildFailed(f"{name}: {clash} is a file in {owners[clash].name} and a folder elsewhere")
    with file.open("wb") as body:
        out = _Hashed(body)
        placed = [pair for part in parts for pair in _write(part, owners, out)]
        unzipped = sum(entry.size for entry, _ in placed)
        if unzipped > (most or MAX_UNZIPPED):
            allowed = f"{most:,} are allowed" if most else f"Lambda allows {MAX_UNZIPPED:,}"
            raise BuildFailed(f"{name} unpacks to {unzipped:,} bytes; {allowed}")
        out.write(end_of(sorted(placed), out.size))
        return Assembled(out.digest.hexdigest(), out.size, unzipped)


def _choose(wheels: Sequence[Part], code: Part | None) -> dict[str, Part]:
    """Which part each path is taken from."""
    owners = dict.fromkeys((entry.path for entry in code.entries), code) if code else {}
    for part in wheels:
        for entry in part.entries:
            owner = owners.setdefault(entry.path, part)
            if owner is not part and owner is not code and not _is_same(owner, part, entry):
                raise BuildFailed(f"{owner.name} and {part.name} hold different files at {entry.path}")
    return owners


def _is_same(owner: Part, part: Part, entry: Entry) -> bool:
    first = next(one for one in owner.entries if one.path == entry.path)
    if (first.size, first.crc) != (entry.size, entry.crc):
        return False
    return read_entry(owner.file, first) == read_entry(part.file, entry)


def read_entry(file: Path, entry: Entry) -> bytes:
    """An entry's bytes, unpacked; DamagedZip where they are not what its directory says."""
    with file.open("rb") as opened:
        opened.seek(entry.data)
        packed = opened.read(entry.packed)
    body = zlib.decompress(packed, -zlib.MAX_WBITS) if entry.method == DEFLATED else packed
    if (len(body), zlib.crc32(body)) != (entry.size, entry.crc):
        raise DamagedZip(f"{file.name} holds {entry.path} damaged")
    return body


def _write(part: Part, owners: dict[str, Part], out: _Hashed) -> Iterable[tuple[Entry, int]]:
    """Copy what a part gives; its entries, and where each then begins."""
    taken = [entry for entry in part.entries if owners[entry.path] is part]
    with part.file.open("rb") as body:
        if part.whole and len(taken) == len(part.entries):
            start = out.size
            out.copy(body, 0, part.whole)
            return [(entry, start + entry.data - LOCAL.size - len(entry.path.encode())) for entry in taken]
        placed = []
        for entry in taken:
            placed.append((entry, out.size))
            out.write(local_header(entry))
            out.copy(body, entry.data, entry.packed)
        return placed


class _Hashed:
    """A file that is hashed while it is written."""

    def __init__(self, body: IO[bytes]) -> None:
        self._body = body
        self._buffer = memoryview(bytearray(PIECE))
        self.digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes | memoryview) -> None:
        self._body.write(data)
        self.digest.update(data)
        self.size += len(data)

    def copy(self, source: IO[bytes], start: int, length: int) -> None:
        source.seek(start)
        while length:
            count = source.readinto(self._buffer[: min(length, PIECE)])  # type: ignore[attr-defined]
            if not count:
                raise EOFError("a fragment ends before its last entry")
            self.write(self._buffer[:count])
            length -= count
