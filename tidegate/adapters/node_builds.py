"""Makes the artifacts of functions in Node: source beside its packages, or one bundle of both.

A changed file of the source changes the source's part alone: packages are fragments, by their tarballs. A
bundle is written by esbuild out of an unpacked tree, which functions in a row of one folder and lock share.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tidegate.adapters.archives import Member, write_zip
from tidegate.adapters.assembly import assemble, move
from tidegate.adapters.bills import describe_module
from tidegate.adapters.esbuild import CODE, bundle, write_tree
from tidegate.adapters.module_locks import find_platform
from tidegate.adapters.module_shelves import ModuleShelf
from tidegate.domain.artifacts import MAX_UNZIPPED, Method
from tidegate.domain.bundles import find_folder
from tidegate.domain.distributions import read_distribution
from tidegate.domain.errors import BuildFailed
from tidegate.domain.modules import is_source
from tidegate.domain.packages import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tidegate.adapters.assembly import Part
    from tidegate.adapters.documents import Documents
    from tidegate.domain.bills import Component
    from tidegate.domain.locks import Lock
    from tidegate.domain.snapshots import FunctionSnapshot


class NodeBuilder:
    """Makes artifacts in a folder, with the packages that `documents` share."""

    def __init__(self, folder: Path, documents: Documents) -> None:
        self._place = folder / "bundle"
        self._shelf = ModuleShelf(folder / "modules", documents)
        self._unpacked: tuple[str, ...] = ()

    def make(self, function: FunctionSnapshot, lock: Lock, code: Part, built: Path) -> list[Component]:
        """Write a function's zip; the components of a bundle, which no reader of it would find."""
        place = f"{function.logical_id} in {function.code_uri}"
        source = move(code, lambda path: path if is_source(path, locked=bool(function.lock)) else None)
        parts = self._shelf.parts(lock.modules, find_platform(function.architecture))
        if function.method is Method.NPM:
            assemble(built, parts, source, place)
            return []
        tree = self._unpack(function, [*parts, source])
        found = bundle(self._place, function.options, self._shelf, place)
        files = found.outputs.items()
        size = write_zip(
            built, (Member(path, executable=False, read=file.read_bytes) for path, file in files)
        )
        if size > MAX_UNZIPPED:
            raise BuildFailed(f"{place} unpacks to {size:,} bytes; Lambda allows {MAX_UNZIPPED:,}")
        return list_bundled(tree, found.inputs, lock)

    def _unpack(self, function: FunctionSnapshot, parts: Iterable[Part]) -> Path:
        """Where a function's source and packages lie; the last ones stay, since the next may be the same."""
        tree = self._place / CODE
        wanted = (function.code_uri, function.lock, function.member, function.architecture)
        if self._unpacked != wanted:
            self._unpacked = ()
            shutil.rmtree(self._place, ignore_errors=True)
            tree.mkdir(parents=True)
            write_tree(tree, parts)
            self._unpacked = wanted
        return tree


def list_bundled(tree: Path, inputs: Iterable[str], lock: Lock) -> list[Component]:
    """The packages that files of a bundle came from, each version once, with what they require there."""
    modules = {module.folder: module for module in lock.modules}
    folders = sorted({folder for path in inputs if (folder := find_folder(path))})
    found: dict[str, Component] = {}
    for folder in folders:
        manifest = tree / folder / MANIFEST
        body = manifest.read_bytes() if manifest.is_file() else b""
        one = describe_module(read_distribution(f"{folder}/{MANIFEST}", body), modules.get(folder))
        found[folder] = one.model_copy(update={"folder": ""})
    needs: dict[str, set[str]] = {one.ref: set() for one in found.values()}
    for folder, one in found.items():
        wanted = modules[folder].requires if folder in modules else ()
        needs[one.ref] |= {found[to].ref for to in wanted if to in found} - {one.ref}
    distinct = {one.ref: one for one in found.values()}
    return [one.model_copy(update={"requires": tuple(sorted(needs[ref]))}) for ref, one in distinct.items()]
