"""Makes the bill of materials of a zip: reads off its own bytes what it holds, and adds what the lock knows.

What is listed is what is there: wheels of the lock, distributions that lie in the source itself, those that
other distributions carry along, and packages in node_modules. Nothing of the zip is run.
"""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Final

from tidegate.adapters.dependencies import connect
from tidegate.domain.bills import Component
from tidegate.domain.distributions import is_metadata, read_distribution, read_folder
from tidegate.domain.errors import BuildFailed
from tidegate.domain.versions import is_same_version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.adapters.documents import Documents
    from tidegate.domain.distributions import Distribution
    from tidegate.domain.locks import Lock, Target, Wheel
    from tidegate.domain.modules import Module

DAMAGE: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


def open_zip(built: Path | IO[bytes]) -> zipfile.ZipFile:
    """A zip that is read as a whole; BuildFailed where it is none."""
    try:
        return zipfile.ZipFile(built)
    except DAMAGE as error:
        raise BuildFailed(f"the zip cannot be read: {error}") from error


def list_components(
    archive: zipfile.ZipFile, lock: Lock, target: Target | None, base: str = ""
) -> list[Component]:
    """What a zip holds; BuildFailed where its metadata is damaged.

    `lock` is what was put into the folder `base` of it; `target` decides which requirements count.
    """
    found = list(read_distributions(archive))
    wheels = {wheel.name: wheel for wheel in lock.wheels}
    modules = {posixpath.join(base, one.folder): one for one in lock.modules}
    sources = {one.name: one.identity for one in lock.sources}
    components = [
        describe_module(one, modules.get(one.folder))
        if one.kind == "npm"
        else _describe(one, wheels, sources, base)
        for one in found
    ]
    brought = {one.name for one in components if one.sha256}
    components += [_stand_in(wheel) for wheel in lock.wheels if wheel.name not in brought]
    return connect(components, {one.folder: one for one in found}, target, base)


def read_distributions(archive: zipfile.ZipFile) -> Iterator[Distribution]:
    """What distributions lie in a zip, by their metadata."""
    paths = {name for name in archive.namelist() if not name.endswith("/")}
    told = {path for path in paths if is_metadata(path)}
    try:
        for path in sorted(told):
            yield read_distribution(path, archive.read(path))
    except DAMAGE as error:
        raise BuildFailed(f"the zip cannot be read: {error}") from error
    folders = {folder for path in paths if ".dist-info/" in path for folder in _folders(path)}
    yield from (read_folder(one) for one in sorted(folders) if f"{one}/METADATA" not in told)


def _folders(path: str) -> Iterator[str]:
    """The folders of metadata that a path lies in."""
    parts = path.split("/")
    return ("/".join(parts[: n + 1]) for n, one in enumerate(parts[:-1]) if one.endswith(".dist-info"))


def describe_module(found: Distribution, module: Module | None) -> Component:
    """A package of Node's as a component, with the hash of the tarball that the lock has put there."""
    brought = module is not None and (module.name, module.version) == (found.name, found.version)
    return Component(
        kind="npm",
        name=found.name,
        version=found.version,
        folder=found.folder,
        sha512=module.sha512 if module is not None and brought else "",
        licence=found.licence,
    )


def _describe(found: Distribution, wheels: dict[str, Wheel], sources: dict[str, str], base: str) -> Component:
    """A distribution as a component, with the hash of the wheel that brought it, or of its sources."""
    wheel = wheels.get(found.name)
    brought = (
        wheel is not None
        and found.folder.rpartition("/")[0] == base
        and (not wheel.version or is_same_version(found.version, wheel.version))
    )
    return Component(
        kind=found.kind,
        name=found.name,
        version=found.version,
        folder=found.folder,
        sha256=wheel.sha256 if wheel is not None and brought else "",
        licence=found.licence,
        built_from=sources.get(found.name, "") if found.kind == "pypi" and "/" not in found.folder else "",
    )


def _stand_in(wheel: Wheel) -> Component:
    """A wheel whose own metadata is not in the zip."""
    return Component(kind="pypi", name=wheel.name, version=wheel.version, folder="", sha256=wheel.sha256)


def write_bill(documents: Documents, key: str, body: bytes) -> bool:
    """Write a bill; False where one stands there."""
    with TemporaryDirectory(prefix="tidegate-") as name:
        file = Path(name) / "bill"
        file.write_bytes(body)
        return documents.write_once(key, file)
