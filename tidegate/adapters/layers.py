"""Builds layers (`Metadata: {BuildMethod: …}`) as `sam build` does: all in the folder of the runtime.

A layer lies under the hash of what it is built from, with its bill beside it, which tells its own hash.
"""

from __future__ import annotations

import hashlib
import posixpath
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, NamedTuple

from tidegate.adapters.archives import write_zip
from tidegate.adapters.assembly import assemble, move, read_part
from tidegate.adapters.bills import list_components, open_zip, write_bill
from tidegate.adapters.locks import find_lock
from tidegate.adapters.module_locks import find_platform
from tidegate.adapters.module_shelves import ModuleShelf
from tidegate.adapters.node_plans import NODE
from tidegate.adapters.shelves import Shelf
from tidegate.domain.artifacts import Method, content_key
from tidegate.domain.bills import Subject, bill_key, render
from tidegate.domain.errors import UnsupportedTemplate
from tidegate.domain.locks import Lock
from tidegate.domain.modules import is_source
from tidegate.domain.sources import tree_hash
from tidegate.domain.templates.template import properties_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.adapters.assembly import Part as Fragment
    from tidegate.adapters.documents import Documents
    from tidegate.adapters.projects import Part, Project
    from tidegate.domain.locks import Target
    from tidegate.domain.sources import SourceFile
    from tidegate.domain.templates.packages import PackageSource

PYTHON: Final = "python"


class _Layer(NamedTuple):
    """What a layer is made of; `folder` is its runtime's, `fill` gives the fragments of its packages."""

    folder: str
    method: Method
    runtime: str
    architecture: str
    lock: Lock
    target: Target | None
    files: list[SourceFile]
    fill: Callable[[Path], list[Fragment]]


def store_layer(project: Project, part: Part, source: PackageSource, path: str, documents: Documents) -> str:
    """Build a layer and store it, unless it stands; its key."""
    layer = _plan(project, part, source, path, documents)
    tree = f"layer {tree_hash(layer.files, path)}"
    name = content_key(layer.method, layer.runtime, layer.architecture, layer.lock.hashes, tree)
    key = f"packages/{name}.zip"
    # The bill comes last: it is of the zip that stands, whoever of two has stored that.
    if not (documents.exists(key) and documents.exists(bill_key(key))):
        with TemporaryDirectory(prefix="tidegate-") as folder:
            built = Path(folder) / "layer.zip"
            parts = [move(one, partial(posixpath.join, layer.folder)) for one in layer.fill(Path(folder))]
            code = Path(folder) / "code.zip"
            base = path or "."
            places = {
                file: posixpath.join(layer.folder, posixpath.relpath(file.path, base)) for file in layer.files
            }
            write_zip(code, (project.checkout.member(file, place) for file, place in places.items()))
            assemble(built, parts, read_part(code, path), f"the layer {source.key.logical_id}")
            if not documents.write_once(key, built):
                documents.download(key, built)
            write_layer_bill(built, key, layer.lock, layer.target, layer.folder, documents)
    return key


def _plan(project: Project, part: Part, source: PackageSource, path: str, documents: Documents) -> _Layer:
    method = source.build_method or ""
    if method.startswith(PYTHON):
        return _plan_python(project, _architecture(project, part, source), method, path, documents)
    if method.startswith(NODE):
        return _plan_node(project, _architecture(project, part, source), method, path, documents)
    message = (
        f"{source.key.logical_id} has BuildMethod {method}; only layers of Python and Node are built so far"
    )
    raise UnsupportedTemplate(message, file=part.template.file, line=source.line)


def _plan_python(project: Project, architecture: str, method: str, path: str, documents: Documents) -> _Layer:
    runtime = project.override.runtime or method
    request = project.lock_request((path,), runtime, architecture)
    lock = find_lock(documents, request) if request else Lock()

    def fill(folder: Path) -> list[Fragment]:
        return Shelf(folder / "shelf", documents).parts(lock)

    target = request.target if request else None
    files = project.checkout.within(path)
    return _Layer(PYTHON, Method.PYTHON, runtime, architecture, lock, target, files, fill)


def _plan_node(project: Project, architecture: str, method: str, path: str, documents: Documents) -> _Layer:
    request = project.modules.find((path,)).request
    lock = project.modules.lock(request, architecture) if request else Lock()

    def fill(folder: Path) -> list[Fragment]:
        return ModuleShelf(folder / "shelf", documents).parts(lock.modules, find_platform(architecture))

    files = [
        file
        for file in project.checkout.within(path)
        if is_source(posixpath.relpath(file.path, path), locked=request is not None)
    ]
    return _Layer(NODE, Method.NPM, method, architecture, lock, None, files, fill)


def _architecture(project: Project, part: Part, source: PackageSource) -> str:
    resource = part.template.resources[source.key.logical_id]
    declared = (resource.get("Metadata") or {}).get("BuildArchitecture")
    compatible = properties_of(resource).get("CompatibleArchitectures")
    first = declared or (compatible[0] if isinstance(compatible, list) and compatible else "x86_64")
    return project.override.architecture or ("arm64" if first == "arm64" else "x86_64")


def write_layer_bill(
    built: Path, key: str, lock: Lock, target: Target | None, folder: str, documents: Documents
) -> None:
    """Store the bill of a layer, unless one stands; its packages lie in `folder`."""
    with built.open("rb") as body:
        digest = hashlib.file_digest(body, "sha256").hexdigest()
    subject = Subject(key=posixpath.basename(key).partition(".")[0], sha256=digest)
    with open_zip(built) as archive:
        components = list_components(archive, lock, target, folder)
    write_bill(documents, bill_key(key), render(subject, components))
