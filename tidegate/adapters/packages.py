"""Uploads what a template refers to besides function code, as `sam package` would: zips, layers and files.

Each lies under the hash of its bytes; a layer that is built, under the hash of what it is built from.
"""

from __future__ import annotations

import hashlib
import posixpath
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from tidegate.adapters.archives import Member, write_zip
from tidegate.adapters.builds import dependency_members
from tidegate.adapters.installs import install
from tidegate.domain.artifacts import MAX_UNZIPPED, Method, content_key, platform, python_version
from tidegate.domain.errors import BuildFailed, InvalidTemplate, UnsupportedTemplate
from tidegate.domain.snapshots import PackageSnapshot
from tidegate.domain.sources import tree_hash
from tidegate.domain.templates.definitions import unqualify_definition
from tidegate.domain.templates.template import properties_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tidegate.adapters.documents import Documents
    from tidegate.adapters.projects import Project
    from tidegate.domain.templates.packages import PackageSource

LAYER_FOLDER: Final = "python"
ZIPS: Final = (".zip", ".jar", ".war")


def store_packages(
    project: Project, sources: Iterable[PackageSource], documents: Documents
) -> tuple[PackageSnapshot, ...]:
    """Upload each package unless it is there already; where each lies."""
    return tuple(_store(project, source, documents) for source in sources)


def _store(project: Project, source: PackageSource, documents: Documents) -> PackageSnapshot:
    path = project.place(source.path, source.line)
    if source.build_method is not None:
        key = _store_layer(project, source, path, documents)
    else:
        key = _store_as_it_is(project, source, path, documents)
    return PackageSnapshot(logical_id=source.key.logical_id, property_path=source.key.property_path, key=key)


def _store_as_it_is(project: Project, source: PackageSource, path: str, documents: Documents) -> str:
    checkout = project.checkout
    is_file = path in checkout.files
    if source.kind == "file" and not is_file:
        message = f"{source.key.property_path} must name a file, and {path} is a folder"
        raise InvalidTemplate(message, file=project.template.file, line=source.line)
    with TemporaryDirectory(prefix="tidegate-") as name:
        file = Path(name) / "package"
        if source.kind == "file" or (is_file and path.endswith(ZIPS)):
            file.write_bytes(_unqualify(source, checkout.read(path)))
            suffix = posixpath.splitext(path)[1]
        else:
            base = posixpath.dirname(path) if is_file else path
            write_zip(file, (checkout.member(one, _in(one.path, base)) for one in checkout.within(path)))
            suffix = ".zip"
        with file.open("rb") as body:
            key = f"packages/{hashlib.file_digest(body, 'sha256').hexdigest()}{suffix}"
        documents.write_once(key, file)
    return key


def _unqualify(source: PackageSource, body: bytes) -> bytes:
    """A state machine's definition without `:$LATEST`: its functions are repointed to their aliases."""
    if not source.resource_type.endswith("::StateMachine"):
        return body
    return unqualify_definition(body.decode()).encode()


def _store_layer(project: Project, source: PackageSource, path: str, documents: Documents) -> str:
    method = source.build_method or ""
    if not method.startswith("python"):
        message = f"{source.key.logical_id} has BuildMethod {method}; only python layers are built so far"
        raise UnsupportedTemplate(message, file=project.template.file, line=source.line)
    runtime = project.override.runtime or method
    architecture = project.override.architecture or _architecture(project, source)
    requirements = project.requirements(path)
    tree = tree_hash(project.checkout.within(path), path)
    key = f"packages/{content_key(Method.PYTHON, runtime, architecture, requirements, f'layer {tree}')}.zip"
    if not documents.exists(key):
        with TemporaryDirectory(prefix="tidegate-") as name:
            members = {
                member.path: member for member in _install(requirements, runtime, architecture, Path(name))
            }
            members |= {
                (target := posixpath.join(LAYER_FOLDER, _in(one.path, path))): project.checkout.member(
                    one, target
                )
                for one in project.checkout.within(path)
            }
            built = Path(name) / "layer.zip"
            if write_zip(built, members.values()) > MAX_UNZIPPED:
                raise BuildFailed(
                    f"the layer {source.key.logical_id} unpacks to more than {MAX_UNZIPPED:,} bytes"
                )
            documents.write_once(key, built)
    return key


def _install(requirements: dict[str, str], runtime: str, architecture: str, folder: Path) -> list[Member]:
    if not requirements:
        return []
    root = folder / "source"
    for path, text in requirements.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    install(
        [root / next(iter(requirements))],
        folder / "target",
        root=root,
        python=python_version(runtime),
        platform=platform(runtime, architecture),
    )
    return [
        Member(posixpath.join(LAYER_FOLDER, member.path), member.executable, member.read)
        for member in dependency_members(folder / "target")
    ]


def _architecture(project: Project, source: PackageSource) -> str:
    resource = project.template.resources[source.key.logical_id]
    declared = (resource.get("Metadata") or {}).get("BuildArchitecture")
    compatible = properties_of(resource).get("CompatibleArchitectures")
    first = declared or (compatible[0] if isinstance(compatible, list) and compatible else "x86_64")
    return "arm64" if first == "arm64" else "x86_64"


def _in(path: str, folder: str) -> str:
    return posixpath.relpath(path, folder or ".")
