"""npm's tarballs by their hash, and the fragments made of them: each fetched, checked and made once for all.

In the artifact bucket a tarball lies at tarballs/<sha512> and its fragment at fragments/<builder>/<sha512>,
each written once and whole or not at all, like wheels. A fragment is placed where the lock has its package;
what lies in the folder of another package of the lock is that package's alone.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import partial
from typing import TYPE_CHECKING, Final

from tidegate.adapters.assembly import Part, move, read_entry
from tidegate.adapters.downloads import fetch_file
from tidegate.adapters.registries import find_address
from tidegate.adapters.shelves import Fragments, obtain
from tidegate.adapters.tarballs import make_tar_fragment
from tidegate.adapters.threads import side_by_side
from tidegate.domain.errors import BuildFailed
from tidegate.domain.modules import MODULES, Module
from tidegate.domain.packages import MANIFEST, find_need, read_package
from tidegate.domain.versions import NPM, is_same_version

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from tidegate.adapters.documents import Documents
    from tidegate.domain.modules import Platform
    from tidegate.domain.packages import Package

ELSEWHERE: Final = "no install script is run here; CodeBuild runs a Makefile (`BuildMethod: makefile`)"


def tarball_key(sha512: str) -> str:
    """Where a tarball lies."""
    return f"tarballs/{sha512}"


class ModuleShelf:
    """The fragments of tarballs in a folder; shared through `documents` where there are any."""

    def __init__(self, folder: Path, documents: Documents | None = None) -> None:
        self._documents = documents
        self._fragments = Fragments(folder, documents)
        self._checked: set[tuple[Module, Platform]] = set()

    def parts(self, modules: Sequence[Module], platform: Platform) -> list[Part]:
        """The fragments of a lock's packages in its order, each at its place; they stay until the next call.

        BuildFailed where a package is not what the lock says, or needs its install script for native code; an
        optional one of the latter kind is left out, as npm does where it cannot be built.
        """
        fetched = [module for module in modules if module.sha512]
        self._fragments.make_room(module.sha512 for module in fetched)
        # One tarball may lie in several places.
        distinct = {module.sha512: module for module in fetched}
        found = dict(zip(distinct, side_by_side(self.find, distinct.values()), strict=True))
        names = {module.name for module in modules}
        kept = [one for one in fetched if self._is_complete(one, found[one.sha512], platform, names)]
        folders = sorted(module.folder for module in kept)
        placed = [_place(module, found[module.sha512], folders) for module in kept]
        _check_bundled(modules, placed)
        return placed

    def find(self, module: Module) -> Part:
        """The fragment of one package, as it lies in most artifacts."""
        return self._fragments.take(module.sha512, module.title, partial(self._make, module))

    def _make(self, module: Module, file: Path) -> None:
        """Write the fragment of a package."""
        packed = file.with_suffix(".tgz")
        try:
            get = partial(fetch_file, find_address(module.url), "sha512", module.sha512, module.title)
            obtain(self._documents, tarball_key(module.sha512), packed, ("sha512", module.sha512), get)
            make_tar_fragment(packed, file, module.title)
        finally:
            packed.unlink(missing_ok=True)

    def _is_complete(self, module: Module, part: Part, platform: Platform, names: Collection[str]) -> bool:
        """Whether a package works as it is; what was found out once is known, unless others matter."""
        if (module, platform) in self._checked:
            return True
        package, base = check_package(module, part), f"{MODULES}{module.name}/"
        paths = {entry.path.removeprefix(base) for entry in part.entries}
        need = find_need(package, paths, platform, names)
        if need and not module.is_optional:
            message = f"{module.title} compiles or fetches native code when it is installed ({need})"
            raise BuildFailed(f"{message}; {ELSEWHERE}")
        if not need and not package.optional:
            self._checked.add((module, platform))
        return not need


def check_package(module: Module, part: Part) -> Package:
    """What a package tells of itself; BuildFailed where it is not the lock's."""
    folder = part.entries[0].path.partition(MODULES)[2]
    name = "/".join(folder.split("/")[: 2 if folder.startswith("@") else 1])
    if name != module.name:
        raise BuildFailed(f"the tarball of {module.title} holds {name}")
    base = f"{MODULES}{name}/"
    manifest = next(entry for entry in part.entries if entry.path == base + MANIFEST)
    package = read_package(read_entry(part.file, manifest), module.title)
    if not is_same_version(package.version, module.version, NPM):
        raise BuildFailed(f"the tarball of {module.title} holds version {package.version}")
    return package


def _place(module: Module, part: Part, folders: Sequence[str]) -> Part:
    """A fragment in its folder, without what lies in the folders of other packages."""
    base, own = f"{MODULES}{module.name}/", f"{module.folder}/"
    first = bisect_left(folders, own)
    inner = tuple(f"{one}/" for one in folders[first : bisect_left(folders, f"{own}\U0010ffff")])
    if base == own and not inner:
        return part

    def rebase(path: str) -> str | None:
        moved = own + path.removeprefix(base)
        return None if moved.startswith(inner) else moved

    return move(part, rebase)


def _check_bundled(modules: Sequence[Module], parts: Sequence[Part]) -> None:
    """BuildFailed where no tarball brings what the lock says that one does, and that is needed."""
    bundled = (module for module in modules if not module.sha512 and not module.is_optional)
    missing = {f"{module.folder}/{MANIFEST}": module for module in bundled}
    if missing:
        for part in parts:
            for entry in part.entries:
                missing.pop(entry.path, None)
    for module in missing.values():
        raise BuildFailed(f"{module.title} should lie in {module.folder}, and no tarball brings it")
