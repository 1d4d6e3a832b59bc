"""Installs what a service's tests need into their environment, from requirement texts, projects and locks.

Locks are taken as they say, with the groups that developers have: those for development too. Unlike a
function's, these packages may be built from source; it is the sandbox, where all code is foreign anyway.
"""

from __future__ import annotations

import posixpath
import sys
import time
from typing import TYPE_CHECKING, Final

from tidegate.adapters.installs import export_requirements, install_into
from tidegate.domain.errors import BuildFailed
from tidegate.domain.locks import Kind, LockRequest
from tidegate.domain.projects import read_toml, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

HERE: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
LOCKS: Final = frozenset({Kind.PYLOCK, Kind.UV, Kind.POETRY})
DEVELOPMENT: Final = "dev"


def install(
    environment: Path, source: Path, paths: Sequence[str], extra: Sequence[str], *, seconds: float
) -> None:
    """Install what files of the source require, and `extra`; BuildFailed says why that cannot be.

    Locks first, one after the other, since the installer reads no two at once: where a list asks for another
    version than a lock of somebody else, the list's is what stays.
    """
    until = time.monotonic() + seconds
    made = environment.parent / "requirements"
    made.mkdir()
    locks = [path for path in paths if posixpath.basename(path) in LOCKS]
    lists = [path for path in paths if path not in locks]
    for number, path in enumerate(locks):
        file = _write(source, path, made / f"{number}.txt")
        wanted = ["--requirement", str(file)]
        install_into(environment, wanted, path, root=source, seconds=until - time.monotonic())
    wanted = [*(word for path in lists for word in _name(source, path)), *extra]
    if wanted:
        files = ", ".join(lists)
        install_into(environment, wanted, files, root=source, seconds=until - time.monotonic())


def _write(source: Path, path: str, file: Path) -> Path:
    """A lock as a file that the installer reads: itself, or requirement texts in `file`."""
    match posixpath.basename(path):
        case Kind.UV:
            export_requirements(source / posixpath.dirname(path), file, root=source)
        case Kind.POETRY:
            file.write_text(_read_poetry(source, path))
        case _:
            return source / path
    return file


def _name(source: Path, path: str) -> Iterator[str]:
    """The installer's options for requirement texts, or for a project and what its developers need."""
    yield from ("--requirement", str(source / path))
    if posixpath.basename(path) == Kind.PROJECT:
        groups = table(read_toml((source / path).read_text(), path), "dependency-groups")
        if DEVELOPMENT in groups:
            yield from ("--group", f"{source / path}:{DEVELOPMENT}")


def _read_poetry(source: Path, path: str) -> str:
    from tidegate.adapters.poetry_locks import read_poetry_lock, render_pins

    project = posixpath.join(posixpath.dirname(path), Kind.PROJECT)
    if not (source / project).is_file():
        raise BuildFailed("there is no pyproject.toml beside it", file=path)
    texts = {one: (source / one).read_text() for one in (path, project)}
    return render_pins(read_poetry_lock(LockRequest(texts, HERE, None), every_group=True))
