"""The entries of our own zips, in the one form that they have: read, and written, without inflating anything.

Every zip that is made here holds its entries one after another from its first byte, dated 1980-01-01, of mode
0644 or 0755, with their sizes in the local headers, and nothing else: no extra fields, comments, data
descriptors or ZIP64. So entries can be copied from zip to zip as they are. A zip of another form is a fault
(`DamagedZip`) and is never read as if it had this one; zips of others are read by the standard library.
Source: PKWARE, APPNOTE.TXT 6.3.10, 4.3 to 4.5.
"""

from __future__ import annotations

import stat
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LOCAL: Final = struct.Struct("<4s5H3L2H")
CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
END: Final = struct.Struct("<4s4H2LH")
LOCAL_SIGN: Final = b"PK\x03\x04"
CENTRAL_SIGN: Final = b"PK\x01\x02"
END_SIGN: Final = b"PK\x05\x06"
NEEDED: Final = 20  # version 2.0: folders and deflate
MADE_BY: Final = (3 << 8) | NEEDED  # Unix, for the modes
UTF8: Final = 0x800
STORED: Final = 0
DEFLATED: Final = 8
DATE: Final = (1 << 5) | 1  # 1980-01-01; the time is 0
MODES: Final = {executable: (stat.S_IFREG | (0o755 if executable else 0o644)) << 16 for executable in (0, 1)}
MOST_ENTRIES: Final = 0xFFFF - 1
MOST_BYTES: Final = 0xFFFFFFFF - 1


class DamagedZip(Exception):
    """A zip of ours has not the form that it was written in."""


class Entry(NamedTuple):
    """A file in a zip: its `packed` bytes at `data` unpack to `size`; `method` is stored or deflated."""

    path: str
    executable: bool
    method: int
    crc: int
    packed: int
    size: int
    data: int


class Index(NamedTuple):
    """The entries of a zip in its order; they take its first `end` bytes."""

    entries: tuple[Entry, ...]
    end: int


def local_header(entry: Entry) -> bytes:
    """What stands before an entry's bytes."""
    name = entry.path.encode()
    flags = 0 if entry.path.isascii() else UTF8
    sizes = (entry.crc, entry.packed, entry.size, len(name), 0)
    return LOCAL.pack(LOCAL_SIGN, NEEDED, flags, entry.method, 0, DATE, *sizes) + name


def end_of(entries: Sequence[tuple[Entry, int]], start: int) -> bytes:
    """The central directory, which begins at `start`, of entries and the places of their local headers.

    OverflowError where a zip cannot hold as much without ZIP64.
    """
    if len(entries) > MOST_ENTRIES or start > MOST_BYTES:
        raise OverflowError(f"{len(entries):,} files in {start:,} bytes are more than a zip holds")
    records = b"".join([_record(entry, offset) for entry, offset in entries])
    count = len(entries)
    return records + END.pack(END_SIGN, 0, 0, count, count, len(records), start, 0)


def _record(entry: Entry, offset: int) -> bytes:
    path, executable, method, crc, packed, size, _ = entry
    name = path.encode()
    flags, mode, length = 0 if path.isascii() else UTF8, MODES[executable], len(name)
    versions = (MADE_BY, NEEDED, flags, method, 0, DATE)
    return CENTRAL.pack(CENTRAL_SIGN, *versions, crc, packed, size, length, 0, 0, 0, 0, mode, offset) + name


def read_index(file: Path) -> Index:
    """The entries of a zip of ours; DamagedZip where it has another form."""
    with file.open("rb") as body:
        length = body.seek(0, 2)
        body.seek(max(0, length - END.size))
        tail = body.read()
        if len(tail) < END.size or tail[:4] != END_SIGN:
            raise DamagedZip(f"{file.name} has no end")
        _, _, _, count, _, size, start, _ = END.unpack(tail)
        if start + size + END.size != length:
            raise DamagedZip(f"{file.name} has {length:,} bytes and not those that its end tells")
        body.seek(start)
        records = body.read(size)
    entries = _parse(records, count, file)
    return Index(entries, start)


def _parse(records: bytes, count: int, file: Path) -> tuple[Entry, ...]:
    entries, place, data = [], 0, 0
    for _ in range(count):
        try:
            found = CENTRAL.unpack_from(records, place)
        except struct.error:
            raise DamagedZip(f"{file.name} ends before its last entry") from None
        sign, _, _, flags, method, _, _, crc, packed, size, length, extra, comment, *_, attributes, offset = (
            found
        )
        place += CENTRAL.size + length
        if sign != CENTRAL_SIGN or flags & ~UTF8 or extra or comment or offset != data:
            raise DamagedZip(f"{file.name} is no zip of the builder's form")
        data = offset + LOCAL.size + length
        path = records[place - length : place].decode()
        entries.append(Entry(path, bool(attributes >> 16 & stat.S_IXUSR), method, crc, packed, size, data))
        data += packed
    if place != len(records):
        raise DamagedZip(f"{file.name} holds more than its end tells")
    return tuple(entries)
