"""Finds what says what code requires: beside it first, then at the template's root; a lock before a list.

What is found is read, and compared where two files must agree, once however many functions share it. Nothing
is resolved here, so that a desk without a network finds the same as a release.
"""

from __future__ import annotations

import posixpath
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Final, NamedTuple

from tidegate.domain.artifacts import collect_requirements
from tidegate.domain.locks import Kind, LockRequest
from tidegate.domain.projects import (
    check_poetry_lock,
    check_uv_lock,
    is_member,
    list_requirements,
    read_toml,
    table,
    well_formed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tidegate.adapters.checkouts import Checkout
    from tidegate.domain.locks import Target

# Told where they stand unread: another tool's, those for other purposes (PEP 751), and the second of two.
OTHERS: Final = (
    *(kind for kind in Kind if kind is not Kind.PROJECT),
    "pylock.*.toml",
    "Pipfile.lock",
    "pdm.lock",
)
# A project's own list is not read beside these; a lock was made from it.
LISTS: Final = (Kind.PYLOCK, Kind.REQUIREMENTS)
CHECKS: Final = {Kind.UV: check_uv_lock, Kind.POETRY: check_poetry_lock}


class Found(NamedTuple):
    """The files that say what is required, the main one first; `unread` are others that could have."""

    texts: dict[str, str]
    member: str
    unread: tuple[str, ...]


def tell_choice(code: str, request: LockRequest | None, unread: Sequence[str]) -> str:
    """Which file was taken for a folder of code, and which were not; empty where there was no choice."""
    names = ", ".join(posixpath.basename(path) for path in unread)
    if request is None:
        return f"{names} says nothing to Tidegate; it reads {', '.join(Kind)}" if unread else ""
    left = f"; {names} there is not read" if unread else ""
    if (posixpath.dirname(request.project) or ".") == code:
        return (
            f"{posixpath.basename(request.main)} beside the code says what it requires{left}"
            if unread
            else ""
        )
    return f"{request.main} says what is required, since nothing beside the code does{left}"


class Requirements:
    """The requirement files of a checkout; each folder is looked into once.

    `sources`: whether somebody builds what has no wheel.
    """

    def __init__(self, checkout: Checkout, *, sources: bool = False) -> None:
        self._checkout = checkout
        self._sources = sources
        self._found: dict[str, Found] = {}
        self._requests: dict[tuple[str, Target], LockRequest] = {}
        self._names: dict[str, list[str]] = {}
        for path in checkout.files:
            self._names.setdefault(posixpath.dirname(path) or ".", []).append(posixpath.basename(path))

    def find(self, folders: Sequence[str], target: Target) -> LockRequest | None:
        """What a lock is made from: the files of the first folder that has some; None where none has."""
        folder = next((one for one in folders if self._look(one).texts), None)
        if folder is None:
            return None
        if (folder, target) not in self._requests:
            found = self._look(folder)
            self._requests[folder, target] = LockRequest(found.texts, *target, found.member)
        return self._requests[folder, target]

    def read_file(self, path: str, target: Target) -> LockRequest:
        """What a lock is made from where the file of requirements is named."""
        texts = collect_requirements(path, self._read_text)
        return LockRequest(texts, *target)

    def unread(self, folders: Sequence[str]) -> tuple[str, ...]:
        """The files that could have said what is required, and are not read, in the first folder with any."""
        found = (self._look(one) for one in folders)
        return next((one.unread for one in found if one.texts or one.unread), ())

    def _look(self, folder: str) -> Found:
        folder = posixpath.normpath(folder)
        if folder not in self._found:
            self._found[folder] = self._read(folder)
        return self._found[folder]

    def _read(self, folder: str) -> Found:
        candidates = list(self._list(folder))
        names = {posixpath.basename(paths[0]) for _, paths, _ in candidates[:1]}
        others = tuple(
            posixpath.normpath(posixpath.join(folder, name))
            for name in sorted(self._names.get(folder, ()))
            if any(fnmatch(name, one) for one in OTHERS) and name not in names
        )
        if not candidates:
            return Found({}, ".", others)
        kind, paths, member = candidates[0]
        if kind is not Kind.PROJECT and any(one[0] is Kind.PROJECT for one in candidates):
            others = (*others, *candidates[-1][1]) if kind in LISTS else others
        texts = {path: self._checkout.read_text(path) for path in paths}
        if kind is Kind.REQUIREMENTS:
            texts = collect_requirements(paths[0], self._read_text, sources=self._sources)
        elif kind is Kind.PROJECT:
            list_requirements(read_toml(texts[paths[0]], paths[0]), paths[0])
        elif kind in CHECKS:
            # Which Python it is for does not matter here.
            with well_formed(paths[0]):
                CHECKS[kind](LockRequest(texts, "3", None, member))
        return Found(texts, member, others)

    def _list(self, folder: str) -> Iterator[tuple[Kind, tuple[str, ...], str]]:
        """What a folder has, the first to be taken first: its kind, its files and the workspace's member."""
        lock, project = (self._path(folder, one) for one in (Kind.PYLOCK, Kind.PROJECT))
        if lock:
            yield Kind.PYLOCK, (lock,), "."
        data = read_toml(self._checkout.read_text(project), project) if project else {}
        if project and (root := self._find_workspace(folder, data)) is not None:
            own = self._path(root, Kind.PROJECT) or project
            paths = tuple(dict.fromkeys((posixpath.normpath(posixpath.join(root, Kind.UV)), own, project)))
            yield Kind.UV, paths, posixpath.relpath(folder, root)
        if project and (lock := self._path(folder, Kind.POETRY)):
            yield Kind.POETRY, (lock, project), "."
        if listed := self._path(folder, Kind.REQUIREMENTS):
            yield Kind.REQUIREMENTS, (listed,), "."
        declared = table(data, "project")
        if project and (declared.get("dependencies") or "dependencies" in declared.get("dynamic", ())):
            yield Kind.PROJECT, (project,), "."

    def _find_workspace(self, folder: str, data: dict[str, object]) -> str | None:
        """The folder whose uv.lock holds the project of a folder: its own, or its workspace's."""
        if "project" not in data:
            return None
        if self._path(folder, Kind.UV):
            return folder
        above = folder
        while above != ".":
            above = posixpath.dirname(above) or "."
            if self._path(above, Kind.UV) and (project := self._path(above, Kind.PROJECT)):
                root = read_toml(self._checkout.read_text(project), project)
                return above if is_member(root, posixpath.relpath(folder, above)) else None
        return None

    def _path(self, folder: str, name: str) -> str | None:
        path = posixpath.normpath(posixpath.join(folder, name))
        return path if path in self._checkout.files else None

    def _read_text(self, path: str) -> str | None:
        return self._checkout.read_text(path) if path in self._checkout.files else None
