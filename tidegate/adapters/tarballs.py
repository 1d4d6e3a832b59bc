"""Fragments of npm's tarballs: what of one goes into an artifact, as a zip of our own form.

A fragment lies where most artifacts have it, in `node_modules/<name>`, so that it is copied as it is. It
depends on the tarball's bytes and on the builder's version alone. A tarball is data of somebody else: links,
devices, paths that lead out and what unpacks to more than Lambda takes are refused by name. Nothing of it is
run.
"""

from __future__ import annotations

import zlib
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Final

from tidegate.adapters.entries import DEFLATED, MOST_ENTRIES, Entry, end_of, local_header
from tidegate.adapters.tars import open_tar
from tidegate.domain.artifacts import MAX_UNZIPPED
from tidegate.domain.errors import BuildFailed
from tidegate.domain.modules import MODULES
from tidegate.domain.packages import MANIFEST, read_package
from tidegate.domain.sources import is_left_out
from tidegate.domain.wheels import check_path

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Iterable
    from pathlib import Path

PIECE: Final = 1 << 20
LEVEL: Final = 6
EXECUTABLE: Final = 0o111
MAX_MANIFEST: Final = 4_000_000
# Headers and padding besides the files; long names have headers of their own.
MOST_TAR: Final = MAX_UNZIPPED + 4096 * MOST_ENTRIES


def make_tar_fragment(tarball: Path, file: Path, title: str) -> None:
    """Write the fragment of a tarball; BuildFailed says what is wrong with the package of that title."""
    too_much = BuildFailed(f"{title}: unpacks to more than {MAX_UNZIPPED:,} bytes")
    with (
        TemporaryFile() as scratch,
        open_tar(tarball, MOST_TAR, too_much, f"{title}: not a readable tarball") as archive,
    ):
        reader = _Reader(scratch, title)
        reader.read(archive)
        package = read_package(reader.manifest, title)
        with file.open("wb") as out:
            _write(reader.entries.values(), f"{MODULES}{package.name}/", scratch, out)


class _Reader:
    """The files of a tarball, deflated into `scratch` one after another; the last of two of a path counts."""

    def __init__(self, scratch: IO[bytes], title: str) -> None:
        self._scratch = scratch
        self._title = title
        self._size = 0
        self.entries: dict[str, Entry] = {}
        self.manifest = b""

    def read(self, archive: tarfile.TarFile) -> None:
        for count, member in enumerate(archive):
            if count > MOST_ENTRIES:
                raise BuildFailed(f"{self._title}: holds more than {MOST_ENTRIES:,} files")
            path = self._check(member)
            body = archive.extractfile(member) if path else None
            if path and body is not None:
                self._take(path, bool(member.mode & EXECUTABLE), body)

    def _check(self, member: tarfile.TarInfo) -> str | None:
        """Where a file lies in its package; None for what is left out. The first folder has any name."""
        shown = f"{member.name[:80]!r}"
        if member.isdir():
            return None
        if not member.isreg() or member.issparse():
            raise BuildFailed(f"{self._title}: {shown} is a link or a device")
        # Some tools write `package/./index.js`.
        _, *parts = [part for part in member.name.split("/") if part not in {"", "."}] or [""]
        path = "/".join(parts)
        if member.name.startswith("/") or not path:
            raise BuildFailed(f"{self._title}: the path {shown} lies in no folder")
        check_path(path, self._title)
        return None if is_left_out(path) else path

    def _take(self, path: str, executable: bool, body: IO[bytes]) -> None:
        start = self._scratch.tell()
        squeeze, crc, size = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS), 0, 0
        while piece := body.read(PIECE):
            crc, size = zlib.crc32(piece, crc), size + len(piece)
            self._scratch.write(squeeze.compress(piece))
            if path == MANIFEST:
                self._keep(piece, is_first=size == len(piece))
        self._scratch.write(squeeze.flush())
        self._size += size
        if self._size > MAX_UNZIPPED:
            raise BuildFailed(f"{self._title}: unpacks to more than {MAX_UNZIPPED:,} bytes")
        packed = self._scratch.tell() - start
        self.entries[path] = Entry(path, executable, DEFLATED, crc, packed, size, start)

    def _keep(self, piece: bytes, *, is_first: bool) -> None:
        self.manifest = piece if is_first else self.manifest + piece
        if len(self.manifest) > MAX_MANIFEST:
            raise BuildFailed(f"{self._title}: its {MANIFEST} has more than {MAX_MANIFEST:,} bytes")


def _write(entries: Iterable[Entry], base: str, scratch: IO[bytes], out: IO[bytes]) -> None:
    placed = []
    for entry in sorted(entries):
        moved = entry._replace(path=base + entry.path)
        placed.append((moved, out.tell()))
        out.write(local_header(moved))
        scratch.seek(entry.data)
        left = entry.packed
        while left:
            piece = scratch.read(min(left, PIECE))
            out.write(piece)
            left -= len(piece)
    out.write(end_of(placed, out.tell()))
