"""Scanner: OSV records at hand, as osv.dev exports them: files in a folder or a zip, or in zips among them.

Records are read once, one after another, and those that speak of none of the packages are dropped at once, so
that memory grows with the findings and not with the records. What cannot be read is named, and never skipped
silently.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from typing import TYPE_CHECKING, Final

from tidegate.domain.audits.advisories import UnreadableAdvisory, check_record, name_packages, read_advisory
from tidegate.domain.audits.findings import Scan, combine
from tidegate.domain.audits.matching import match
from tidegate.domain.errors import InvalidConfiguration
from tidegate.domain.wording import count as say_count
from tidegate.domain.wording import list_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from tidegate.domain.audits.advisories import Advisory, Package

MOST_BYTES: Final = 256 << 20  # of one record, or of a zip in a zip
DAMAGE: Final = (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


class RecordScanner:
    """Looks packages up in records; `files` are names and how to get their bytes, `name` is for people."""

    def __init__(
        self,
        files: Iterable[tuple[str, Callable[[], bytes]]],
        name: str,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self._files = files
        self._name = name
        self._progress = progress or (lambda _: None)

    def scan(self, packages: Sequence[Package]) -> Scan:
        """The known vulnerabilities; InvalidConfiguration where there is no record that can be read."""
        unread: list[str] = []
        advisories, count = self._read({package.key for package in packages}, unread)
        if not count:
            raise InvalidConfiguration(f"{self._name} holds no readable OSV record{_tell(unread, ': ')}")
        matched = match(packages, advisories)
        told = _tell(unread, f"{say_count(len(unread), 'record')} that cannot be read: ")
        return Scan(
            scanner=f"{say_count(count, 'record')} in {self._name}",
            findings=combine(matched.hits),
            notices=(*([told] if told else []), *matched.notices),
        )

    def _read(self, wanted: set[tuple[str, str]], unread: list[str]) -> tuple[list[Advisory], int]:
        """The records of some packages, and how many there are of any."""
        advisories: list[Advisory] = []
        count = 0
        for name, read in _open(self._files, unread):
            try:
                record = json.loads(read())
                if wanted & name_packages(record):
                    advisories.append(read_advisory(record))
                else:
                    check_record(record)
            except (ValueError, RecursionError, UnreadableAdvisory, *DAMAGE) as error:
                unread.append(f"{name}: {error}")
            else:
                count += 1
                self._progress(count)
        return advisories, count


def _tell(unread: Sequence[str], before: str) -> str:
    return f"{before}{list_names(unread)}" if unread else ""


def _open(
    files: Iterable[tuple[str, Callable[[], bytes]]], unread: list[str]
) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """The records among files: those whose names end in .json, also of zips among them."""
    for name, read in files:
        if name.lower().endswith(".json"):
            yield name, read
        elif name.lower().endswith(".zip"):
            try:
                with zipfile.ZipFile(io.BytesIO(read())) as archive:
                    yield from _open(list_members(archive, f"{name}/"), unread)
            except DAMAGE as error:
                unread.append(f"{name}: {error}")
        elif name.lower().endswith((".yaml", ".yml")):
            unread.append(f"{name}: records are read as JSON")


def list_members(
    archive: zipfile.ZipFile, shown: str = "", within: str = ""
) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """The files of a zip (of a folder in it), as records are looked for."""
    for member in archive.infolist():
        if not member.is_dir() and member.filename.startswith(within):
            yield f"{shown}{member.filename}", _reader(archive, member)


def _reader(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Callable[[], bytes]:
    def read() -> bytes:
        if member.file_size > MOST_BYTES:
            message = f"{member.file_size:,} bytes are too many"
            raise OSError(message)
        return archive.read(member)

    return read


def list_folder(folder: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """The files of a folder or, where it is a file, that file; links are not followed out of sight."""
    if folder.is_file():
        yield folder.name, folder.read_bytes
        return
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path.read_bytes
