"""Fragments: what of a wheel goes into an artifact, as a zip of our own form that needs no second look.

A fragment holds the wheel's own compressed streams under new local headers, sorted by path. It depends on the
wheel's bytes and on the builder's version alone. Each stream is inflated once, into nothing, and its size and
CRC are checked; so a fragment never has to be inflated again. A wheel is data of somebody else: whatever in
it could deceive a reader or unpack to more than it says is refused by name, and nothing of it is run.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, Final

from tidegate.adapters.entries import (
    DEFLATED,
    LOCAL,
    LOCAL_SIGN,
    MOST_ENTRIES,
    STORED,
    Entry,
    end_of,
    local_header,
)
from tidegate.domain.artifacts import MAX_UNZIPPED
from tidegate.domain.errors import BuildFailed
from tidegate.domain.wheels import find_distribution, place_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

PIECE: Final = 1 << 20
ENCRYPTED: Final = 0x1 | 0x40
EXECUTABLE: Final = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
METHODS: Final = {STORED, DEFLATED}
DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    UnicodeDecodeError,
    NotImplementedError,
    ValueError,
)


def make_fragment(wheel: Path, file: Path, name: str, most: int | None = None) -> None:
    """Write the fragment of a wheel; BuildFailed says what is wrong with the wheel of that name.

    `most` is how many bytes it may unpack to, by default what Lambda allows.
    """
    try:
        with wheel.open("rb") as body, zipfile.ZipFile(body) as archive:
            entries = _choose(archive.infolist(), body, name, most or MAX_UNZIPPED)
            with file.open("wb") as out:
                _write(entries, body, out, name)
    except DAMAGE as error:
        raise BuildFailed(f"{name}: not a readable wheel: {error}") from error


def _write(entries: Iterable[Entry], body: IO[bytes], out: IO[bytes], name: str) -> None:
    placed = []
    for entry in entries:
        placed.append((entry, out.tell()))
        out.write(local_header(entry))
        body.seek(entry.data)
        _copy_checked(entry, body, out, name)
    out.write(end_of(placed, out.tell()))


def _choose(members: list[zipfile.ZipInfo], body: IO[bytes], name: str, most: int) -> list[Entry]:
    """The entries that a fragment takes, by the paths that they get, sorted."""
    if len(members) > MOST_ENTRIES or sum(member.file_size for member in members) > most:
        raise BuildFailed(f"{name}: unpacks to more than {MOST_ENTRIES:,} files or {most:,} bytes")
    find_distribution((member.filename for member in members), name)
    entries: dict[str, Entry] = {}
    for member, data in _locate(members, body, name):
        _check(member, name)
        path = None if member.is_dir() else place_file(member.orig_filename, name)
        if path is None:
            continue
        if path in entries:
            raise BuildFailed(f"{name}: holds {path} twice")
        mode = member.external_attr >> 16
        sizes = (member.CRC, member.compress_size, member.file_size, data)
        entries[path] = Entry(path, bool(mode & EXECUTABLE), member.compress_type, *sizes)
    return [entries[path] for path in sorted(entries)]


def _locate(
    members: list[zipfile.ZipInfo], body: IO[bytes], name: str
) -> Iterator[tuple[zipfile.ZipInfo, int]]:
    """Each member and where its bytes begin; members may not overlap, nor bear two names."""
    end = 0
    for member in sorted(members, key=lambda member: member.header_offset):
        body.seek(member.header_offset)
        sign, _, flags, *_, length, extra = LOCAL.unpack(body.read(LOCAL.size))
        local = body.read(length)
        if sign != LOCAL_SIGN or member.header_offset < end:
            raise BuildFailed(f"{name}: {member.filename} overlaps another file")
        if local != member.orig_filename.encode("utf-8" if flags & 0x800 else "cp437"):
            raise BuildFailed(f"{name}: {member.filename} bears another name in its own header")
        data = member.header_offset + LOCAL.size + length + extra
        end = data + member.compress_size
        yield member, data


def _check(member: zipfile.ZipInfo, name: str) -> None:
    kind = stat.S_IFMT(member.external_attr >> 16)
    if member.flag_bits & ENCRYPTED:
        raise BuildFailed(f"{name}: {member.filename} is encrypted")
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise BuildFailed(f"{name}: {member.filename} is a link or a device")
    if member.compress_type not in METHODS:
        method = zipfile.compressor_names.get(member.compress_type, str(member.compress_type))  # type: ignore[attr-defined]
        raise BuildFailed(f"{name}: {member.filename} is compressed by {method}; Lambda reads deflate only")


def _copy_checked(entry: Entry, body: IO[bytes], out: IO[bytes], name: str) -> None:
    """Copy an entry's stream, and refuse it where it does not unpack to what the directory says."""
    inflate, left = zlib.decompressobj(-zlib.MAX_WBITS) if entry.method == DEFLATED else None, entry.packed
    crc = size = 0
    while left:
        piece = body.read(min(left, PIECE))
        if not piece:
            raise EOFError(f"{entry.path} is cut short")
        left -= len(piece)
        out.write(piece)
        for part in _inflated(inflate, piece):
            crc, size = zlib.crc32(part, crc), size + len(part)
            if size > entry.size:
                raise BuildFailed(f"{name}: {entry.path} unpacks to more than it states")
    whole = inflate is None or (inflate.eof and not inflate.unused_data)
    if not whole or (crc, size) != (entry.crc, entry.size):
        raise BuildFailed(f"{name}: {entry.path} does not unpack to the size and checksum that it states")


def _inflated(inflate: zlib._Decompress | None, piece: bytes) -> Iterator[bytes]:
    """What a piece of a stream unpacks to, a mebibyte at a time."""
    if inflate is None:
        yield piece
        return
    while piece:
        yield inflate.decompress(piece, PIECE)
        piece = inflate.unconsumed_tail
