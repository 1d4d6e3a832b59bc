"""Finds the lock of npm's that says what Node code requires, and keeps it under the hash of its text.

Beside the code first; where nothing there speaks of packages, at the template's root. Nothing is resolved: a
package.json that names dependencies and has no lock is refused, since npm would install something else on
another day.
"""

from __future__ import annotations

import hashlib
import platform
import posixpath
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tidegate.adapters.threads import side_by_side
from tidegate.domain.artifacts import NATIVE
from tidegate.domain.errors import BuildFailed
from tidegate.domain.locks import Lock
from tidegate.domain.module_locks import (
    REMEDY,
    check_agreement,
    check_version,
    choose_modules,
    list_wanted,
)
from tidegate.domain.modules import LAMBDA, MODULES, Platform, read_json
from tidegate.domain.packages import MANIFEST
from tidegate.domain.projects import well_formed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tidegate.adapters.checkouts import Checkout
    from tidegate.adapters.documents import Documents

# npm reads the first where both stand.
LOCKS: Final = ("npm-shrinkwrap.json", "package-lock.json")
OTHERS: Final = ("yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb")
CPUS: Final = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


class ModuleRequest(NamedTuple):
    """A lock's path and text; `member` is the folder of the package that is meant, relative to the lock's."""

    main: str
    text: str
    member: str = "."

    @property
    def key(self) -> str:
        """Where the lock lies."""
        return f"locks/{hashlib.sha256(self.text.encode()).hexdigest()}.json"


class ModuleChoice(NamedTuple):
    """What says what code requires; `note` is what the plan tells of that, empty where it is plain."""

    request: ModuleRequest | None = None
    note: str = ""


def find_platform(architecture: str) -> Platform:
    """What packages are chosen for."""
    return own_platform() if architecture == NATIVE else LAMBDA[architecture]


def own_platform() -> Platform:
    """The machine at hand, in npm's words."""
    cpu = CPUS.get(platform.machine().lower(), platform.machine().lower())
    return Platform(sys.platform, cpu, "glibc" if sys.platform == "linux" else "")


def read_modules(documents: Documents, key: str, architecture: str, member: str) -> Lock:
    """The packages of a stored lock; LookupError where there is none."""
    text = documents.find_bytes(key)
    if text is None:
        message = f"s3://{documents.bucket}/{key} does not exist"
        raise LookupError(message)
    return Lock(modules=choose_modules(text.decode(), key, find_platform(architecture), member))


class ModuleRequests:
    """The locks of npm's in a checkout; each is read once, however many functions share it."""

    def __init__(self, checkout: Checkout) -> None:
        self._checkout = checkout
        self._chosen: dict[tuple[str, str, Platform], Lock] = {}
        self._found: dict[tuple[str, ...], ModuleChoice] = {}
        self._parsed: dict[str, dict[str, Any]] = {}

    def find(self, folders: Sequence[str]) -> ModuleChoice:
        """What says what code requires; `folders` begin with the code's own. BuildFailed as above."""
        key = tuple(folders)
        if key not in self._found:
            self._found[key] = self._find(*key)
        return self._found[key]

    def lock(self, request: ModuleRequest, architecture: str) -> Lock:
        """The packages that a request stands for."""
        target = find_platform(architecture)
        key = (request.main, request.member, target)
        if key not in self._chosen:
            chosen = choose_modules(request.text, request.main, target, request.member)
            self._chosen[key] = Lock(modules=chosen)
        return self._chosen[key]

    def version_of(self, request: ModuleRequest, name: str) -> str:
        """The version of a package at the root of a lock, for development too; "" where there is none."""
        entry = self._parse(request).get("packages", {}).get(f"{MODULES}{name}") or {}
        return str(entry.get("version") or "") if isinstance(entry, dict) else ""

    def _find(self, code: str, *above: str) -> ModuleChoice:
        if self._path(code, MANIFEST):
            return ModuleChoice(self._beside(code))
        if self._checkout.within(posixpath.normpath(posixpath.join(code, MODULES))):
            return ModuleChoice(note=f"the packages in {posixpath.join(code, MODULES)} are taken as they lie")
        for folder in above:
            if self._path(folder, MANIFEST):
                return self._above(folder)
        return ModuleChoice()

    def _beside(self, folder: str) -> ModuleRequest | None:
        """The lock of the package.json in a folder, its workspace's too; None where it asks for nothing."""
        manifest = self._read(folder, MANIFEST)
        if request := self._own(folder):
            self._check(request, manifest)
            return request
        wanted = self._list(folder, manifest)
        if not wanted:
            return None
        for parent in _parents(folder):
            request, member = self._own(parent), posixpath.relpath(folder, parent)
            if request and member in self._parse(request).get("packages", {}):
                request = request._replace(member=member)
                self._check(request, manifest)
                return request
        raise BuildFailed(self._explain(folder, wanted), file=self._path(folder, MANIFEST) or MANIFEST)

    def _above(self, folder: str) -> ModuleChoice:
        """The same at a template's root, where what cannot be installed is told: the code may not need it."""
        manifest, request = self._read(folder, MANIFEST), self._own(folder)
        wanted = self._list(folder, manifest)
        if not wanted:
            return ModuleChoice()
        if request is None:
            told = self._explain(folder, wanted)
            return ModuleChoice(
                note=f"{self._path(folder, MANIFEST)}: {told}; nothing of it is in the artifact"
            )
        self._check(request, manifest)
        return ModuleChoice(
            request, f"{request.main} says what is required, since no {MANIFEST} beside the code does"
        )

    def _explain(self, folder: str, wanted: Sequence[str]) -> str:
        other = next((name for name in OTHERS if self._path(folder, name)), None)
        unread = f", and {other} is not read" if other else ""
        return f"{', '.join(wanted[:3])} required, and there is no {LOCKS[-1]} beside it{unread}: {REMEDY}"

    def _list(self, folder: str, manifest: dict[str, Any]) -> list[str]:
        with well_formed(self._path(folder, MANIFEST) or MANIFEST):
            return sorted(list_wanted(manifest))

    def _own(self, folder: str) -> ModuleRequest | None:
        file = next((path for name in LOCKS if (path := self._path(folder, name))), None)
        return ModuleRequest(file, self._checkout.read_text(file)) if file else None

    def _check(self, request: ModuleRequest, manifest: dict[str, Any]) -> None:
        data = self._parse(request)
        check_version(data, request.main)
        check_agreement(manifest, data, request.member, request.main)

    def _parse(self, request: ModuleRequest) -> dict[str, Any]:
        if request.main not in self._parsed:
            self._parsed[request.main] = read_json(request.text, request.main)
        return self._parsed[request.main]

    def _read(self, folder: str, name: str) -> dict[str, Any]:
        path = self._path(folder, name) or name
        return read_json(self._checkout.read_text(path), path)

    def _path(self, folder: str, name: str) -> str | None:
        path = posixpath.normpath(posixpath.join(folder, name))
        return path if path in self._checkout.files else None


def _parents(folder: str) -> list[str]:
    """The folders above a folder, the nearest first, down to the root."""
    found = []
    while folder != ".":
        folder = posixpath.dirname(folder) or "."
        found.append(folder)
    return found


def keep_locks(documents: Documents, requests: Iterable[ModuleRequest]) -> None:
    """Keep each lock under its key, once."""
    wanted = {request.key: request for request in requests}
    side_by_side(partial(_keep, documents), wanted.values())


def _keep(documents: Documents, request: ModuleRequest) -> None:
    if not documents.exists(request.key):
        documents.write_bytes_once(request.key, request.text.encode())
