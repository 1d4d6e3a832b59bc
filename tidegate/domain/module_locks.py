"""Which packages of a lock of npm's go into an artifact, and where they lie there; pure.

What `npm install --omit=dev` would install is chosen: whatever the production dependencies lead to, for the
target's platform. The lock's own flags (`dev`, `optional`, `peer`) say the same and are not needed. Nothing
is resolved: each name leads to the package that Node would find for it, or the lock is incomplete.
Sources: https://docs.npmjs.com/cli/v11/configuring-npm/package-lock-json, npm's arborist and install-checks.
"""

from __future__ import annotations

import base64
import binascii
import posixpath
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tidegate.domain.artifacts import hide_credentials
from tidegate.domain.errors import BuildFailed
from tidegate.domain.modules import MODULES, NAME, REGISTRY, Module, Platform, fits, read_json
from tidegate.domain.projects import well_formed
from tidegate.domain.wheels import check_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

VERSIONS: Final = frozenset({2, 3})
REMEDY: Final = "run `npm install --package-lock-only` and commit the lock"
# What npm compares between the two files; others do not change what is deployed.
COMPARED: Final = ("dependencies", "optionalDependencies")
SHA512_BYTES: Final = 64


class Edge(NamedTuple):
    """That a package asks for another; whether it does without it, and without it being in the lock."""

    name: str
    is_optional: bool
    may_be_absent: bool


def list_wanted(manifest: Mapping[str, Any]) -> dict[str, str]:
    """What a package.json asks for in production, with its ranges; not what is for development, too."""
    found: dict[str, str] = {}
    for key in COMPARED:
        found |= {str(name): str(wanted) for name, wanted in (manifest.get(key) or {}).items()}
    development = manifest.get("devDependencies") or {}
    return {name: wanted for name, wanted in found.items() if name not in development}


def check_agreement(manifest: Mapping[str, Any], lock: Mapping[str, Any], member: str, file: str) -> None:
    """BuildFailed where a lock was made for other dependencies than a package.json now names."""
    with well_formed(file):
        root = lock.get("packages", {}).get(_root_of(member))
        if root is None:
            raise ValueError(f"the lock does not know the package in {member}; {REMEDY}")
        asked, locked = list_wanted(manifest), list_wanted(root)
        for name in sorted({*asked, *locked}):
            if asked.get(name) != locked.get(name):
                says = f"package.json asks for {_shown(name, asked)}, and the lock was made for"
                raise ValueError(f"{says} {_shown(name, locked)}; {REMEDY}")


def _shown(name: str, wanted: Mapping[str, str]) -> str:
    return f"{name} {hide_credentials(wanted[name])}" if name in wanted else f"no {name}"


def choose_modules(text: str, file: str, platform: Platform, member: str = ".") -> tuple[Module, ...]:
    """The packages of a lock for a platform, sorted by folder; BuildFailed names what no build takes.

    `member` is the folder of the package that is meant, relative to the lock's, where it is a workspace's.
    """
    data = read_json(text, file)
    check_version(data, file)
    with well_formed(file):
        tree = _Tree(data["packages"], platform, file)
        wanted = tree.choose(_root_of(member))
        folders = {path: _place(path, _root_of(member)) for path in wanted}
        found = [tree.describe(path, folders) for path in wanted]
    return _settle(found, file)


def check_version(data: Mapping[str, Any], file: str) -> None:
    """BuildFailed where it is no lock whose packages stand by their folders."""
    version = data.get("lockfileVersion")
    if version not in VERSIONS or not isinstance(data.get("packages"), dict):
        hint = " with npm 7 or newer" if version == 1 else ""
        raise BuildFailed(f"lockfileVersion is {version!r}; 2 and 3 are built: {REMEDY}{hint}", file=file)


def _root_of(member: str) -> str:
    return "" if member == "." else posixpath.normpath(member)


def _place(path: str, root: str) -> str:
    """Where a package lies in the artifact: what lies in the member's own folder lies at its root."""
    return path.removeprefix(f"{root}/") if root else path


def _settle(modules: Iterable[Module], file: str) -> tuple[Module, ...]:
    """Sorted, each folder once; what a member and its workspace both have under one name cannot be placed."""
    found: dict[str, Module] = {}
    for module in modules:
        other = found.setdefault(module.folder, module)
        if other is not module:
            message = f"{other.title} and {module.title} would both lie at {module.folder}"
            raise BuildFailed(f"{message}; give the function a lock of its own", file=file)
    return tuple(found[folder] for folder in sorted(found))


class _Tree:
    """The packages of a lock by path, and which of them a root leads to."""

    def __init__(self, packages: Mapping[str, Any], platform: Platform, file: str) -> None:
        self._packages = packages
        self._platform = platform
        self._file = file

    def choose(self, root: str) -> list[str]:
        """The paths that the root leads to, without what does not fit the platform and what needs that."""
        unfit = self._find_unfit(self._reach(root, set()))
        if root in unfit:
            raise BuildFailed(self._explain(root, unfit), file=self._file)
        return sorted(self._reach(root, unfit, check=True) - {root})

    def _find_unfit(self, reached: set[str]) -> set[str]:
        """Those that are not for the platform, and those that cannot do without one of them."""
        needed_by: dict[str | None, list[str]] = {}
        for path in reached:
            for edge in self._edges(path):
                if not edge.is_optional:
                    needed_by.setdefault(self.resolve(path, edge.name), []).append(path)
        waiting = [path for path in reached if not self._fits(path)]
        unfit = set(waiting)
        while waiting:
            more = set(needed_by.get(waiting.pop(), ())) - unfit
            unfit |= more
            waiting += more
        return unfit

    def _reach(self, root: str, without: set[str], *, check: bool = False) -> set[str]:
        found, waiting = {root}, [root]
        while waiting:
            path = waiting.pop()
            for edge in self._edges(path):
                to = self.resolve(path, edge.name)
                if to is None and check and not edge.may_be_absent:
                    asks = self._title(path) if path else "package.json"
                    message = f"{asks} asks for {edge.name}, and the lock holds none; {REMEDY}"
                    raise BuildFailed(message, file=self._file)
                if to is not None and to not in found and to not in without:
                    found.add(to)
                    waiting.append(to)
        return found

    def _explain(self, root: str, unfit: set[str]) -> str:
        """The way from the root to a package that does not fit."""
        way, path = [], root
        while self._fits(path):
            path = next(
                to
                for edge in self._edges(path)
                if not edge.is_optional and (to := self.resolve(path, edge.name)) in unfit and to is not None
            )
            way.append(self._title(path))
            if len(way) > len(unfit):
                break
        target = "-".join(part for part in self._platform if part)
        return f"{' of '.join(reversed(way))} is not for {target}"

    def _entry(self, path: str) -> Mapping[str, Any]:
        entry: Mapping[str, Any] = self._packages[path]
        return entry

    def _edges(self, path: str) -> Iterator[Edge]:
        """What a package asks for in production; of one name the strictest list counts, as npm has it."""
        entry = self._entry(path)
        kinds: dict[str, tuple[bool, bool]] = {}
        loose = entry.get("peerDependenciesMeta") or {}
        for name in entry.get("peerDependencies") or {}:
            kinds[name] = (bool((loose.get(name) or {}).get("optional")), True)
        for name in entry.get("dependencies") or {}:
            kinds[name] = (False, False)
        for name in entry.get("optionalDependencies") or {}:
            kinds[name] = (True, True)
        return (Edge(name, *kind) for name, kind in kinds.items())

    def resolve(self, path: str, name: str) -> str | None:
        """The path of the package that Node finds under a name from another; None where there is none."""
        place = path
        while True:
            candidate = posixpath.join(place, MODULES, name)
            if candidate in self._packages:
                return candidate
            if not place:
                return None
            place = place.rpartition(f"/{MODULES}")[0] if f"/{MODULES}" in place else _above(place)

    def _fits(self, path: str) -> bool:
        entry = self._entry(path)
        lists = zip(("os", "cpu", "libc"), self._platform, strict=True)
        return _is_bundled(entry) or all(fits(value, entry.get(key)) for key, value in lists)

    def _title(self, path: str) -> str:
        return f"{name_of(path, self._entry(path))} {self._entry(path).get('version', '')}".strip()

    def describe(self, path: str, folders: Mapping[str, str]) -> Module:
        """A package of the lock; BuildFailed where it is none that a registry has."""
        entry = self._entry(path)
        name = name_of(path, entry)
        if entry.get("link"):
            where = entry.get("resolved")
            raise BuildFailed(f"{name} is a link to {where}; folders are not installed", file=self._file)
        for one in (name, path.rpartition(MODULES)[2]):
            if not NAME.fullmatch(one):
                raise BuildFailed(f"{one!r} is no name of a package", file=self._file)
        check_path(folders[path], name)
        edges = {self.resolve(path, edge.name) for edge in self._edges(path)}
        told: dict[str, Any] = {}
        if not _is_bundled(entry):
            told = {"url": _find_url(name, entry, self._file), "sha512": _find_hash(name, entry, self._file)}
        return Module(
            folder=folders[path],
            name=name,
            version=str(entry.get("version") or ""),
            has_script=bool(entry.get("hasInstallScript")),
            is_optional=bool(entry.get("optional")),
            requires=tuple(sorted(folders[to] for to in edges if to is not None and to in folders)),
            **told,
        )


def _above(place: str) -> str:
    """The folder above one that is no package's: of a workspace's member, or of the root's node_modules."""
    return "" if place.startswith(MODULES) else posixpath.dirname(place)


def _is_bundled(entry: Mapping[str, Any]) -> bool:
    """Whether another package's tarball brings it; what the root itself bundles has an address."""
    return bool(entry.get("inBundle")) and not entry.get("resolved")


def name_of(path: str, entry: Mapping[str, Any]) -> str:
    """A package's own name; what is installed under another name tells its own."""
    return str(entry.get("name") or path.rpartition(MODULES)[2])


def _find_url(name: str, entry: Mapping[str, Any], file: str) -> str:
    version, url = str(entry.get("version") or ""), entry.get("resolved")
    if url is None:
        return f"{REGISTRY}/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
    if not re.match(r"https?://", str(url)):
        shown = hide_credentials(str(url))
        message = f"{name} comes from {shown}; only tarballs of a registry are taken"
        raise BuildFailed(f"{message}, no repositories, files and folders", file=file)
    return str(url)


def _find_hash(name: str, entry: Mapping[str, Any], file: str) -> str:
    """The SHA-512 (hex) of a package's tarball.

    Weaker ones are refused: a tarball is kept under its hash for all services, so that whoever could make two
    of one hash could give one of them to another service.
    """
    found = [one.partition("?")[0].partition("-") for one in str(entry.get("integrity") or "").split()]
    for algorithm, _, text in found:
        if algorithm == "sha512":
            try:
                digest = base64.b64decode(text, validate=True)
            except binascii.Error:
                digest = b""
            if len(digest) != SHA512_BYTES:
                raise BuildFailed(f"the integrity of {name} is no SHA-512: {text[:40]}", file=file)
            return digest.hex()
    named = ", ".join(sorted({algorithm for algorithm, _, _ in found})) or "none"
    message = f"{name} {entry.get('version')} has no sha512 integrity ({named})"
    raise BuildFailed(f"{message}; remove its entry from the lock and {REMEDY}", file=file)
