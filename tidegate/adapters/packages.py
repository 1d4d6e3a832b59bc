"""Uploads what a template refers to besides function code, as `sam package` would: zips, layers and files.

Each lies under the hash of its bytes; a layer that is built, under the hash of what it is built from.
"""

from __future__ import annotations

import hashlib
import posixpath
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from tidegate.adapters.archives import write_zip
from tidegate.adapters.assembly import assemble, move, read_part
from tidegate.adapters.bills import list_components, write_bill
from tidegate.adapters.locks import find_lock
from tidegate.adapters.shelves import Shelf
from tidegate.domain.artifacts import Method, content_key
from tidegate.domain.bills import Subject, bill_key, render
from tidegate.domain.errors import InvalidTemplate, UnsupportedTemplate
from tidegate.domain.locks import Lock
from tidegate.domain.nesting import qualify
from tidegate.domain.snapshots import PackageSnapshot
from tidegate.domain.sources import tree_hash
from tidegate.domain.templates.definitions import unqualify_definition
from tidegate.domain.templates.packages import read_packages
from tidegate.domain.templates.template import properties_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.adapters.archives import Member
    from tidegate.adapters.documents import Documents
    from tidegate.adapters.projects import Part, Project
    from tidegate.domain.locks import Target
    from tidegate.domain.templates.packages import PackageSource

LAYER_FOLDER: Final = "python"
ZIPS: Final = (".zip", ".jar", ".war")


def store_packages(project: Project, documents: Documents) -> tuple[PackageSnapshot, ...]:
    """Upload the packages of all templates, each unless it is there already; where each lies."""
    return tuple(
        _store(project, part, source, documents)
        for part in project.parts
        for source in read_packages(part.template, part.parameters)
    )


def _store(project: Project, part: Part, source: PackageSource, documents: Documents) -> PackageSnapshot:
    path = project.place(part, source.path, source.line)
    if source.build_method is not None:
        key = _store_layer(project, part, source, path, documents)
    else:
        key = _store_as_it_is(project, part, source, path, documents)
    return PackageSnapshot(
        logical_id=qualify(part.path, source.key.logical_id),
        property_path=source.key.property_path,
        key=key,
        bill=bill_key(key) if _has_bill(source) else "",
    )


def _has_bill(source: PackageSource) -> bool:
    return source.resource_type.endswith("::LayerVersion")


def _store_as_it_is(
    project: Project, part: Part, source: PackageSource, path: str, documents: Documents
) -> str:
    checkout = project.checkout
    is_file = path in checkout.files
    if source.kind == "file" and not is_file:
        message = f"{source.key.property_path} must name a file, and {path} is a folder"
        raise InvalidTemplate(message, file=part.template.file, line=source.line)
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
        if _has_bill(source):
            _write_bill(file, key, Lock(), None, documents)
        documents.write_once(key, file)
    return key


def _write_bill(built: Path, key: str, lock: Lock, target: Target | None, documents: Documents) -> None:
    """Store the bill of a layer, unless one stands."""
    with built.open("rb") as body:
        digest = hashlib.file_digest(body, "sha256").hexdigest()
    subject = Subject(key=posixpath.basename(key).partition(".")[0], sha256=digest)
    components = list_components(built, lock, target, LAYER_FOLDER)
    write_bill(documents, bill_key(key), render(subject, components))


def _unqualify(source: PackageSource, body: bytes) -> bytes:
    """A state machine's definition without `:$LATEST`: its functions are repointed to their aliases."""
    if not source.resource_type.endswith("::StateMachine"):
        return body
    return unqualify_definition(body.decode()).encode()


def _store_layer(project: Project, part: Part, source: PackageSource, path: str, documents: Documents) -> str:
    method = source.build_method or ""
    if not method.startswith("python"):
        message = f"{source.key.logical_id} has BuildMethod {method}; only python layers are built so far"
        raise UnsupportedTemplate(message, file=part.template.file, line=source.line)
    runtime = project.override.runtime or method
    architecture = project.override.architecture or _architecture(part, source)
    request = project.lock_request((path,), runtime, architecture)
    lock = find_lock(documents, request) if request else Lock()
    tree = tree_hash(project.checkout.within(path), path)
    key = f"packages/{content_key(Method.PYTHON, runtime, architecture, lock.hashes, f'layer {tree}')}.zip"
    # The bill comes last: it is of the zip that stands, whoever of two has stored that.
    if not (documents.exists(key) and documents.exists(bill_key(key))):
        with TemporaryDirectory(prefix="tidegate-") as name:
            built = Path(name) / "layer.zip"
            wheels = [move(part, _in_layer) for part in Shelf(Path(name) / "shelf", documents).parts(lock)]
            code = Path(name) / "code.zip"
            write_zip(code, _members(project, path))
            assemble(built, wheels, read_part(code, path), f"the layer {source.key.logical_id}")
            if not documents.write_once(key, built):
                documents.download(key, built)
            _write_bill(built, key, lock, request.target if request else None, documents)
    return key


def _in_layer(path: str) -> str:
    return posixpath.join(LAYER_FOLDER, path)


def _members(project: Project, path: str) -> Iterator[Member]:
    for file in project.checkout.within(path):
        yield project.checkout.member(file, _in_layer(_in(file.path, path)))


def _architecture(part: Part, source: PackageSource) -> str:
    resource = part.template.resources[source.key.logical_id]
    declared = (resource.get("Metadata") or {}).get("BuildArchitecture")
    compatible = properties_of(resource).get("CompatibleArchitectures")
    first = declared or (compatible[0] if isinstance(compatible, list) and compatible else "x86_64")
    return "arm64" if first == "arm64" else "x86_64"


def _in(path: str, folder: str) -> str:
    return posixpath.relpath(path, folder or ".")
