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
from tidegate.adapters.layers import PYTHON, store_layer, write_layer_bill
from tidegate.domain.bills import bill_key
from tidegate.domain.errors import InvalidTemplate
from tidegate.domain.locks import Lock
from tidegate.domain.nesting import qualify
from tidegate.domain.snapshots import PackageSnapshot
from tidegate.domain.templates.definitions import unqualify_definition
from tidegate.domain.templates.packages import read_packages

if TYPE_CHECKING:
    from tidegate.adapters.documents import Documents
    from tidegate.adapters.projects import Part, Project
    from tidegate.domain.templates.packages import PackageSource

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
        key = store_layer(project, part, source, path, documents)
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
            write_layer_bill(file, key, Lock(), None, PYTHON, documents)
        documents.write_once(key, file)
    return key


def _unqualify(source: PackageSource, body: bytes) -> bytes:
    """A state machine's definition without `:$LATEST`: its functions are repointed to their aliases."""
    if not source.resource_type.endswith("::StateMachine"):
        return body
    return unqualify_definition(body.decode()).encode()


def _in(path: str, folder: str) -> str:
    return posixpath.relpath(path, folder or ".")
