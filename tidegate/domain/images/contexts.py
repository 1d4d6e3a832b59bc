"""Where the files of a build's context go: what each COPY takes, and the path that it gets in the image.

Source: https://docs.docker.com/reference/dockerfile/#copy. Paths in an image are told without
their first slash.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Final, NamedTuple

from pydantic import Field

from tidegate.domain.errors import UnsupportedTemplate
from tidegate.domain.identity import Frozen

from .ignores import translate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

WILD: Final = frozenset("*?[")
# They may be links in the base image, which a layer would replace, or are mounted over when it runs.
SYSTEM: Final = ("bin", "dev", "lib", "lib64", "proc", "run", "sbin", "sys", "tmp", "var/lock", "var/run")
# Where base images have folders that are not known here; of these trees, one is the function's own.
TREES: Final = frozenset({"etc", "home", "media", "mnt", "root", "srv", "usr", "var"})
OWN: Final = "var/task/"


class Copy(Frozen):
    """One COPY: paths of the context, and where they go; `is_folder`: that is, or must be, a folder."""

    sources: tuple[str, ...]
    destination: str = Field(description="in the image, without the first slash; empty for its root")
    is_folder: bool
    line: int = 0


class Placed(NamedTuple):
    """A file of the context and its path in the image."""

    path: str
    source: str


def check_destination(path: str, file: str, line: int) -> None:
    """UnsupportedTemplate where a path of an image is not a place for a function's own files."""
    for folder in SYSTEM:
        if path == folder or path.startswith(f"{folder}/"):
            raise UnsupportedTemplate(
                f"/{folder} is the system's own, and nothing is put there; use /var/task or /opt",
                file=file,
                line=line,
            )


def place_copies(copies: Sequence[Copy], paths: Iterable[str], file: str) -> dict[str, str]:
    """The context's path of each file, by its path in the image; a later COPY wins.

    `paths` are those of the context that no .dockerignore leaves out. UnsupportedTemplate where a COPY names
    what is not there, or two files would need one path as file and as folder.
    """
    ordered = sorted(paths)
    placed: dict[str, str] = {}
    folders: set[str] = set()
    for copy in copies:
        stands = copy.destination in folders
        for one in _place(copy.model_copy(update={"is_folder": True}) if stands else copy, ordered, file):
            check_destination(one.path, file, copy.line)
            placed[one.path] = one.source
            folders.update(_above(one.path))
    if clash := min(folders & placed.keys(), default=""):
        raise UnsupportedTemplate(f"/{clash} would be a file and a folder", file=file)
    return placed


def _above(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path


def _place(copy: Copy, paths: Sequence[str], file: str) -> Iterator[Placed]:
    wild = any(WILD & set(source) for source in copy.sources)
    taken = [one for source in copy.sources for one in _find(source, paths, file, copy.line)]
    if (len(taken) > 1 or (wild and len(copy.sources) > 1)) and not copy.is_folder:
        message = "COPY of several files needs a folder, with a slash at its end"
        raise UnsupportedTemplate(message, file=file, line=copy.line)
    for source in taken:
        inside = [path for path in paths if source == "." or path.startswith(f"{source}/")]
        if inside:
            for path in inside:
                yield Placed(_join(copy.destination, posixpath.relpath(path, source)), path)
        else:
            yield Placed(_name(copy, source, file), source)


def _name(copy: Copy, source: str, file: str) -> str:
    """The path that a file gets; UnsupportedTemplate where it might replace one of the base's folders.

    A destination that has the source's name, or its ending, is taken for a file's.
    """
    path, name = copy.destination, posixpath.basename(source)
    if copy.is_folder:
        return _join(path, name)
    ending = posixpath.splitext(name)[1]
    alike = posixpath.basename(path) == name or (ending and path.endswith(ending))
    if path.partition("/")[0] in TREES and not path.startswith(OWN) and not alike:
        named = f"{name}, or with the ending {ending}" if ending else name
        message = (
            f"whether /{path} is a folder of the base image is not known; end it with a slash where it is "
        )
        message += f"one, else name the file {named}"
        raise UnsupportedTemplate(f"COPY {source}: {message}", file=file, line=copy.line)
    return path


def _find(source: str, paths: Sequence[str], file: str, line: int) -> list[str]:
    """The files and folders that a source of a COPY names."""
    name = posixpath.normpath(source.lstrip("/") or ".")
    if name == ".." or name.startswith("../"):
        raise UnsupportedTemplate(f"COPY {source} leaves the context", file=file, line=line)
    if not WILD & set(name):
        known = any(name in {".", path} or path.startswith(f"{name}/") for path in paths)
        found = [name] if known else []
    else:
        matcher = translate(name, file, line)
        folders = {folder for path in paths for folder in _above(path)}
        found = sorted(one for one in {*paths, *folders} if matcher.fullmatch(one))
    if not found:
        message = f"COPY {source}: nothing of that name is in the context"
        raise UnsupportedTemplate(message, file=file, line=line)
    return found


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
