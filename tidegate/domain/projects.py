"""What a pyproject.toml requires, and whether a lock agrees with it: by the tools' own rules; pure.

Neither tool runs here: uv would ask for an interpreter of the project's version, and Poetry for itself. So a
lock is compared by value, as far as it decides what is deployed. What cannot be told without running code of
the service (dynamic dependencies) is refused by name.
Sources: https://packaging.python.org/en/latest/specifications/pyproject-toml/,
https://docs.astral.sh/uv/concepts/projects/layout/, https://python-poetry.org/docs/basic-usage/
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import tomllib
from contextlib import contextmanager
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any, Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from tidegate.domain.artifacts import hide_credentials
from tidegate.domain.errors import BuildFailed
from tidegate.domain.locks import normalize

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tidegate.domain.locks import LockRequest

LOCAL: Final = ("virtual", "editable", "directory")
# A dependency of a lock that has one of these is the same whatever version the project asks for.
PLACED: Final = (*LOCAL, "git", "url", "path")
OF_EXTRA: Final = re.compile(r"\bextra\s*==")
LEGACY_KEYS: Final = ("dependencies", "source", "extras", "dev-dependencies")
PROJECT_KEYS: Final = ("requires-python", "dependencies", "optional-dependencies")
# Of a Python version only the minor is known; Lambda chooses the patch.
PATCHES: Final = range(40)

Wanted = tuple[str, frozenset[str], SpecifierSet | None]


def read_toml(text: str, file: str) -> dict[str, Any]:
    """A TOML file; BuildFailed where it is none."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BuildFailed(f"not valid TOML: {error}", file=file) from None


@contextmanager
def well_formed(file: str) -> Iterator[None]:
    """BuildFailed where a file's entries have other shapes than the tool that writes it gives them."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        told = str(error) if isinstance(error, ValueError) else f"an entry has an unknown shape ({error})"
        raise BuildFailed(told, file=file) from error


def table(data: object, *names: str) -> dict[str, Any]:
    """A table of a table, and so on; empty where there is none."""
    for name in names:
        data = data.get(name) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def check_python(requires: object, python: str, file: str) -> None:
    """BuildFailed where a project or a lock is not for the function's Python version."""
    try:
        wanted = SpecifierSet(str(requires or ""))
    except InvalidSpecifier:
        raise BuildFailed(f"requires-python is {requires!r}, which says no version", file=file) from None
    if not any(wanted.contains(f"{python}.{patch}") for patch in PATCHES):
        raise BuildFailed(f"it requires Python {requires}, and the function runs on {python}", file=file)


def is_member(root: Mapping[str, Any], member: str) -> bool:
    """Whether a folder, relative to a uv workspace's root, is one of its members."""
    workspace = table(root, "tool", "uv", "workspace")
    named = any(_fits(member, one) for one in workspace.get("members", ()))
    return named and not any(_fits(member, one) for one in workspace.get("exclude", ()))


def _fits(path: str, pattern: object) -> bool:
    """Whether a path is meant by a glob whose `*` stays within one folder."""
    words, parts = posixpath.normpath(str(pattern)).split("/"), path.split("/")
    if "**" in words:
        return fnmatch(path, str(pattern))
    return len(words) == len(parts) and all(map(fnmatch, parts, words))


def list_requirements(data: Mapping[str, Any], file: str) -> list[str]:
    """What a project without a lock requires, as requirement texts; BuildFailed names what is not taken."""
    dependencies = _read_dependencies(data, file, "list them in `dependencies`, or give a requirements.txt")
    uv = table(data, "tool", "uv")
    for key in ("constraint-dependencies", "override-dependencies"):
        if uv.get(key):
            raise BuildFailed(f"tool.uv.{key} counts in a lock alone; run `uv lock`", file=file)
    sources = {normalize(name) for name in table(uv, "sources")}
    for one in dependencies:
        if (name := normalize(one.name)) in sources:
            raise BuildFailed(f"tool.uv.sources.{name} counts in a lock alone; run `uv lock`", file=file)
        if one.url is not None and not one.url.startswith(("https://", "http://")):
            shown = hide_credentials(str(one))
            raise BuildFailed(f"{shown!r} is not taken; name a released version with a wheel", file=file)
    return [str(one) for one in dependencies]


def _read_dependencies(data: Mapping[str, Any], file: str, remedy: str) -> list[Requirement]:
    project = table(data, "project")
    if "dependencies" in project.get("dynamic", ()):
        message = f"its dependencies are dynamic, and nothing of the service runs to find them; {remedy}"
        raise BuildFailed(message, file=file)
    return _read(project.get("dependencies", ()), file)


def _read(texts: Iterable[object], file: str) -> list[Requirement]:
    found = []
    for text in texts:
        try:
            found.append(Requirement(str(text)))
        except InvalidRequirement as error:
            shown = hide_credentials(str(text))
            raise BuildFailed(
                f"{shown!r} is no requirement: {str(error).splitlines()[0]}", file=file
            ) from None
    return found


def check_uv_lock(request: LockRequest) -> None:
    """BuildFailed where a uv.lock does not hold what its project depends on.

    Markers are left out of account, since uv writes them in other words, and so are groups and extras, which
    are not deployed.
    """
    file, project = request.main, request.project
    lock = read_toml(request.texts[file], file)
    own = next((one for one in lock.get("package", ()) if _place(one) == request.member), None)
    if own is None:
        raise BuildFailed(f"it holds no project at {project}; run `uv lock`", file=file)
    data = read_toml(request.texts[project], project)
    remedy = "list them in `dependencies`, or give the lock as a pylock.toml (`uv export`)"
    dependencies = _read_dependencies(data, project, remedy)
    itself = normalize(str(own.get("name", "")))
    wanted = {_want(one) for one in dependencies if normalize(one.name) != itself}
    entries = [
        one for one in table(own, "metadata").get("requires-dist", ()) if not OF_EXTRA.search(_marker(one))
    ]
    locked = {_want_locked(one) for one in entries if normalize(str(one["name"])) != itself}
    if any(normalize(one.name) == itself for one in dependencies):
        locked = {one for one in locked if one[0] in {name for name, *_ in wanted}}
    _compare(wanted, locked, file, project)
    root = posixpath.normpath(posixpath.join(request.folder, "pyproject.toml"))
    settings = table(read_toml(request.texts[root], root), "tool", "uv")
    for kind in ("constraint", "override"):
        asked = (one for one in settings.get(f"{kind}-dependencies", ()) if isinstance(one, str))
        held = table(lock, "manifest").get(f"{kind}s", ())
        _compare({_want(one) for one in _read(asked, root)}, {_want_locked(one) for one in held}, file, root)


def _place(package: Mapping[str, Any]) -> str | None:
    """The folder of a package of the workspace, relative to the lock's."""
    source = table(package, "source")
    return next((posixpath.normpath(str(source[kind])) for kind in LOCAL if kind in source), None)


def _marker(entry: Mapping[str, Any]) -> str:
    return str(entry.get("marker", ""))


def _want(one: Requirement) -> Wanted:
    extras = frozenset(normalize(extra) for extra in one.extras)
    return normalize(one.name), extras, None if one.url else one.specifier


def _want_locked(entry: Mapping[str, Any]) -> Wanted:
    extras = frozenset(normalize(str(extra)) for extra in entry.get("extras", ()))
    placed = any(key in entry for key in PLACED)
    return normalize(str(entry["name"])), extras, None if placed else SpecifierSet(entry.get("specifier", ""))


def _compare(wanted: set[Wanted], locked: set[Wanted], file: str, project: str) -> None:
    placed = {one[:2] for one in locked if one[2] is None}
    asked = {(*one[:2], None) if one[:2] in placed else one for one in wanted}
    for one, where, other in (
        *((one, project, file) for one in sorted(asked - locked, key=str)),
        *((one, file, project) for one in sorted(locked - asked, key=str)),
    ):
        name = f"{one[0]}{one[2] or ''}"
        raise BuildFailed(f"{name} is in {where} and not so in {other}; run `uv lock`", file=file)


def check_poetry_lock(request: LockRequest) -> None:
    """BuildFailed where a poetry.lock was made of another pyproject.toml, by the hash that Poetry keeps."""
    file, project = request.main, request.project
    kept = table(read_toml(request.texts[file], file), "metadata").get("content-hash")
    if kept not in set(_hash_contents(read_toml(request.texts[project], project))):
        raise BuildFailed(f"{project} has changed since the lock was made; run `poetry lock`", file=file)


def _hash_contents(data: Mapping[str, Any]) -> Iterable[str]:
    """What Poetry hashes: the same of all versions for [tool.poetry]; groups of [project] since 2.1."""
    poetry, groups = table(data, "tool", "poetry"), table(data, "dependency-groups")
    project = {key: found for key in PROJECT_KEYS if (found := table(data, "project").get(key)) is not None}
    old = {key: poetry.get(key) for key in LEGACY_KEYS}
    new = {key: found for key, found in old.items() if found is not None}
    group = {"group": poetry["group"]} if poetry.get("group") is not None else {}
    grouped = {"dependency-groups": groups} if groups else {}
    named = {"project": project} if project else {}
    for content in (
        {**old, **group},
        {"tool": {"poetry": {**new, **group}}, **named},
        {"tool": {"poetry": {**new, **group}}, **named, **grouped},
    ):
        yield hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
