"""Reads `poetry.lock` for a target: the versions that Poetry would install, each with its hashes.

Since Poetry 2 (lock-version 2.1) a package says itself by which groups and markers it is wanted; before, that
follows from what the project, and each package in turn, depends on. Extras and groups but the main one are
left out. The lock has no addresses: these are found at the registry, by version and hash.
Source: https://python-poetry.org/docs/basic-usage/ and the files that Poetry 1.0 to 2 write.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tidegate.adapters.wheel_choice import applies
from tidegate.domain.artifacts import hide_credentials
from tidegate.domain.errors import BuildFailed
from tidegate.domain.locks import Pin, normalize
from tidegate.domain.poetry_constraints import allows
from tidegate.domain.projects import PATCHES, read_toml, table, well_formed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tidegate.domain.locks import LockRequest, Target

READ: Final = frozenset({"1.0", "1.1", "2.0", "2.1"})
MAIN: Final = "main"
REGISTRY: Final = (None, "legacy", "pypi")


class _Edge(NamedTuple):
    """That something is depended on: its name, the constraint on its version, and its extras."""

    name: str
    constraint: str
    extras: tuple[str, ...]


def read_poetry_lock(request: LockRequest, *, every_group: bool = False) -> tuple[Pin, ...]:
    """The packages for the target, sorted by name; BuildFailed where the lock is not for it, or not read.

    `every_group`: those of dependency groups too, optional ones aside, as `poetry install` takes them.
    Packages from repositories, addresses and folders are refused by name.
    """
    file, target = request.main, request.target
    lock = read_toml(request.texts[file], file)
    version = str(table(lock, "metadata").get("lock-version", "1.0"))
    if version not in READ:
        raise BuildFailed(f"lock-version is {version}; those read are {', '.join(sorted(READ))}", file=file)
    with well_formed(file):
        _check_python(table(lock, "metadata").get("python-versions"), target, file)
        if version == "2.1":
            wanted = [one for one in lock.get("package", ()) if _is_wanted(one, target, every_group)]
        else:
            data = read_toml(request.texts[request.project], request.project)
            wanted = _Walk(lock, target).walk(_list_groups(data) if every_group else _list_groups(data)[:1])
        pins = sorted(_pin(one, lock, file) for one in wanted)
    for first, second in pairwise(pins):
        if first.name == second.name:
            twice = f"{first.name} is wanted twice, as {first.version} and {second.version}"
            raise BuildFailed(f"{twice}; lock it by Poetry 2 (`poetry lock`)", file=file)
    return tuple(pins)


def render_pins(pins: Iterable[Pin]) -> str:
    """Pinned and hashed requirements; the first index that knows a package is asked, the lock's own first."""
    listed = list(pins)
    indices = [f"--extra-index-url {one}" for one in sorted({pin.origin for pin in listed} - {""})]
    hashes = (" ".join(f"--hash={one}" for one in pin.hashes) for pin in listed)
    lines = (f"{pin.name}=={pin.version} {found}" for pin, found in zip(listed, hashes, strict=True))
    return "\n".join([*indices, *lines])


def _check_python(constraint: object, target: Target, file: str) -> None:
    if constraint and not any(allows(str(constraint), f"{target.python}.{patch}") for patch in PATCHES):
        message = f"it requires Python {constraint}, and the function runs on {target.python}"
        raise BuildFailed(message, file=file)


def _is_wanted(package: Mapping[str, Any], target: Target, every_group: bool) -> bool:
    """Whether a package of lock-version 2.1 is installed without extras, by the main group or by any."""
    markers, groups = package.get("markers", ""), package.get("groups", (MAIN,))
    wanted = [one for one in groups if every_group or one == MAIN] if not package.get("optional") else []
    by_group = markers if isinstance(markers, dict) else dict.fromkeys(wanted, markers)
    return any(applies(str(by_group.get(one, "")), target) for one in wanted)


def _list_groups(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a project depends on, the main group first, then those for development that are not optional."""
    poetry = table(data, "tool", "poetry")
    groups = [table(one) for one in table(poetry, "group").values()]
    development = [table(one, "dependencies") for one in groups if not one.get("optional")]
    return [table(poetry, "dependencies"), table(poetry, "dev-dependencies"), *development]


def _pin(package: Mapping[str, Any], lock: Mapping[str, Any], file: str) -> Pin:
    name, version = normalize(str(package.get("name", ""))), str(package.get("version", ""))
    source = table(package, "source")
    if (kind := source.get("type")) not in REGISTRY:
        place = hide_credentials(str(source.get("url", "")))
        message = f"{name}=={version} is a {kind} ({place}); name a released version with a wheel"
        raise BuildFailed(message, file=file)
    older = table(lock, "metadata", "files").get(str(package.get("name", "")), ())
    files = package.get("files") or older
    hashes = sorted({str(one["hash"]) for one in files})
    if not hashes:
        raise BuildFailed(f"{name}=={version} has no hashes; run `poetry lock`", file=file)
    index = str(source["url"]) if kind == "legacy" and "url" in source else ""
    return Pin(name, version, tuple(hashes), index)


class _Walk:
    """What a project depends on, found from package to package in a lock before Poetry 2."""

    def __init__(self, lock: Mapping[str, Any], target: Target) -> None:
        self._target = target
        self._packages: dict[str, list[Mapping[str, Any]]] = {}
        for one in lock.get("package", ()):
            self._packages.setdefault(normalize(str(one.get("name", ""))), []).append(one)

    def walk(self, groups: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The packages that groups of a project's dependencies lead to."""
        found: dict[int, Mapping[str, Any]] = {}
        seen: set[_Edge] = set()
        named = (pair for group in groups for pair in group.items())
        waiting = [one for name, value in named for one in self._edges(name, value)]
        while waiting:
            edge = waiting.pop()
            if edge in seen or edge.name == "python":
                continue
            seen.add(edge)
            for package in self._choose(edge):
                found[id(package)] = package
                waiting += self._follow(package, edge.extras)
        return list(found.values())

    def _choose(self, edge: _Edge) -> list[Mapping[str, Any]]:
        """The locked packages that are meant: where there is one, that one, whatever its constraint."""
        known = self._packages.get(edge.name)
        if not known:
            raise ValueError(f"{edge.name} is depended on and not in the lock; run `poetry lock`")
        if len(known) == 1:
            return known
        return [one for one in known if allows(edge.constraint, str(one.get("version", "")))]

    def _follow(self, package: Mapping[str, Any], extras: Iterable[str]) -> Iterator[_Edge]:
        named = {normalize(key): value for key, value in table(package, "extras").items()}
        asked = {
            normalize(str(one).split("[")[0].split("(")[0].split(";")[0].strip())
            for extra in extras
            for one in named.get(normalize(extra), ())
        }
        for name, value in table(package, "dependencies").items():
            yield from self._edges(name, value, extras if normalize(name) in asked else ())

    def _edges(self, name: str, value: object, extras: Iterable[str] = ()) -> Iterator[_Edge]:
        """Those of a dependency's alternatives that are for the target; optional ones for an extra alone."""
        for one in value if isinstance(value, list) else [value]:
            entry = one if isinstance(one, dict) else {"version": str(one)}
            if (entry.get("optional") and not extras) or not self._is_for_target(entry, extras):
                continue
            own = tuple(sorted(str(extra) for extra in entry.get("extras", ())))
            yield _Edge(normalize(name), str(entry.get("version", "*")), own)

    def _is_for_target(self, entry: Mapping[str, Any], extras: Iterable[str]) -> bool:
        python = entry.get("python")
        if python and not any(allows(str(python), f"{self._target.python}.{patch}") for patch in PATCHES):
            return False
        if platform := entry.get("platform"):
            return str(platform) == "linux"
        return applies(str(entry.get("markers", "")), self._target, extras=extras)
