"""Zip archives: written with the same bytes for the same content, and unpacked without trusting them.

The same content gives the same bytes whatever the folder, the umask, the times and the order: members are
sorted, dated 1980-01-01 and of mode 0644 or 0755. (Another build of zlib may deflate differently.)
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

from tidegate.domain.errors import InvalidSource
from tidegate.domain.sources import MAX_FILES, MAX_UNPACKED, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

# A member that is a file here and a folder there is damage too; a full disk is not.
DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
    NotImplementedError,
    RuntimeError,
)
EPOCH: Final = (1980, 1, 1, 0, 0, 0)
UNIX: Final = 3


class Member(NamedTuple):
    """A file to be zipped: its path in the zip, and how to get its bytes."""

    path: str
    executable: bool
    read: Callable[[], bytes]


def write_zip(file: Path, members: Iterable[Member]) -> int:
    """Write a zip; the number of bytes that it unpacks to."""
    total = 0
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for member in sorted(members, key=lambda member: member.path):
            info = zipfile.ZipInfo(member.path, EPOCH)
            info.create_system = UNIX
            info.external_attr = (stat.S_IFREG | (0o755 if member.executable else 0o644)) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            body = member.read()
            archive.writestr(info, body)
            total += len(body)
    return total


def unpack(file: Path, folder: Path) -> None:
    """Unpack a zip into a folder; InvalidSource where a member is unsafe or there is too much of it."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            _check(members)
            for member in members:
                path = folder / member.filename
                path.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, path.open("wb") as target:
                    _copy(source.read, target.write, member.file_size)
                path.chmod(0o755 if (member.external_attr >> 16) & stat.S_IXUSR else 0o644)
    except DAMAGE as error:
        raise InvalidSource(f"{file.name} cannot be unpacked: {error}") from error


def unpacked_size(file: Path) -> int:
    """What a zip says it unpacks to; InvalidSource where it is none."""
    try:
        with zipfile.ZipFile(file) as archive:
            return sum(member.file_size for member in archive.infolist())
    except zipfile.BadZipFile as error:
        raise InvalidSource(f"{file.name} is no zip: {error}") from error


def _check(members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MAX_FILES or sum(member.file_size for member in members) > MAX_UNPACKED:
        raise InvalidSource(f"the zip unpacks to more than {MAX_FILES:,} files or {MAX_UNPACKED:,} bytes")
    for member in members:
        mode = member.external_attr >> 16
        if resolve(".", member.filename) != member.filename or "\\" in member.filename:
            raise InvalidSource(f"the zip's member {member.filename!r} is not safe to unpack")
        if stat.S_IFMT(mode) not in {0, stat.S_IFREG} or member.flag_bits & 1:
            raise InvalidSource(f"the zip's member {member.filename!r} is a link or encrypted")


def _copy(read: Callable[[int], bytes], write: Callable[[bytes], object], size: int) -> None:
    left = size
    while piece := read(1 << 20):
        left -= len(piece)
        if left < 0:
            raise InvalidSource("a member of the zip is larger than it says")
        write(piece)
