"""Where the files of a wheel go, and which of them do; pure.

Nothing of a wheel is run and none of its paths is trusted. Sources: the binary distribution format
(https://packaging.python.org/en/latest/specifications/binary-distribution-format/), "The .data directory".
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Final

from tidegate.domain.artifacts import INSTALLER_FILES
from tidegate.domain.errors import BuildFailed
from tidegate.domain.sources import MAX_PATH, is_left_out, resolve

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

# Where an installation into one folder puts what lies under `.data`; scripts name an interpreter, and
# headers serve compilers.
ROOTED: Final = frozenset({"purelib", "platlib", "data"})
DROPPED: Final = frozenset({"scripts", "headers"})
# The installer's own records, and signatures over one of them.
RECORDS: Final = INSTALLER_FILES | {"RECORD.jws", "RECORD.p7s"}
# Half of a surrogate pair stands for a byte that was no UTF-8.
UNSAFE: Final = re.compile(r"[\\\x00-\x1f\x7f\ud800-\udfff]")


def check_path(path: str, wheel: str) -> None:
    """BuildFailed where a path of a wheel could lead out of the folder that it is unpacked into."""
    if path.startswith("/") or resolve(".", path) != path or UNSAFE.search(path) or len(path) > MAX_PATH:
        raise BuildFailed(f"{wheel}: the path {path[:80]!r} is not safe to unpack")


def place_file(path: str, wheel: str) -> str | None:
    """Where a file of a wheel lies in an artifact; None for one that is left out."""
    check_path(path, wheel)
    first, _, rest = path.partition("/")
    if rest and first.endswith(".data"):
        kind, _, inner = rest.partition("/")
        if kind in DROPPED:
            return None
        if kind not in ROOTED or not inner:
            raise BuildFailed(f"{wheel}: {path!r} is of no kind that a wheel may hold")
        path = inner
    folder, name = posixpath.split(path)
    if folder.endswith(".dist-info") and "/" not in folder and name in RECORDS:
        return None
    return None if is_left_out(path) else path


def find_distribution(paths: Iterable[str], wheel: str) -> tuple[str, str]:
    """A distribution's name and version, by the one `.dist-info` folder that a wheel must have."""
    folders = {path.split("/")[0] for path in paths if path.split("/")[0].endswith(".dist-info")}
    if len(folders) != 1:
        raise BuildFailed(f"{wheel}: it must hold one .dist-info folder and holds {len(folders)}")
    name, _, version = folders.pop().removesuffix(".dist-info").rpartition("-")
    return name, version


def find_clash(paths: Collection[str]) -> str | None:
    """A path that is a file and also the folder of another; None where there is none."""
    folders = {path.rpartition("/")[0] for path in paths} - {""}
    waiting = set(folders)
    while waiting := {folder.rpartition("/")[0] for folder in waiting} - {""} - folders:
        folders |= waiting
    return min(folders.intersection(paths), default=None)
