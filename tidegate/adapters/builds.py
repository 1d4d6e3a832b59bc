"""Makes artifacts: a folder of the source and the packages of its lock, as a zip that is the same each time.

Images are made by `image_builds`; their bills and records are written here.

Nothing is deflated: the source's zip and the packages' fragments give their compressed bytes as they are.
Where code and a dependency hold the same path the code wins, as with `sam build`. The zip is stored first,
then its bill of materials, then its record, each whole or not at all; what stands under a key already is
kept, and bill and record are read off the zip that stands there. So two builders, or one that dies and
another, leave one artifact with its own bill and record.
"""

from __future__ import annotations

import hashlib
import posixpath
import sys
from bisect import bisect_left
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from tidegate.adapters.archives import unpacked_size
from tidegate.adapters.assembly import Part, assemble, move, read_entry, read_part
from tidegate.adapters.bills import list_components, open_zip, write_bill
from tidegate.adapters.locks import read_lock
from tidegate.adapters.module_locks import read_modules
from tidegate.adapters.node_builds import NodeBuilder
from tidegate.adapters.node_plans import NODE, NODE_METHODS
from tidegate.adapters.shelves import Shelf
from tidegate.domain.artifacts import (
    MAX_UNZIPPED,
    Method,
    archive_key,
    platform,
    python_version,
    record_key,
)
from tidegate.domain.bills import BaseComponent, Subject, bill_key, read_subject, render
from tidegate.domain.errands import ERRANDS
from tidegate.domain.errors import BuildFailed
from tidegate.domain.handlers import find_fault, find_node_fault
from tidegate.domain.images.references import read_reference
from tidegate.domain.locks import Lock, Target
from tidegate.domain.snapshots import Artifact, FunctionSnapshot
from tidegate.domain.sources import is_left_out

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Callable, Collection, Iterable, Sequence

    from tidegate.adapters.documents import Documents
    from tidegate.adapters.entries import Entry
    from tidegate.adapters.errand_results import Errands
    from tidegate.adapters.image_builds import ImageBuilder
    from tidegate.domain.bills import Component
    from tidegate.domain.snapshots import Snapshot


class Made(NamedTuple):
    """A zip that was made: its SHA-256 (hex), where it is known, and components that do not show in it."""

    sha256: str = ""
    hidden: Sequence[Component] = ()


class Builder:
    """Builds artifacts of one snapshot in a folder; the source is fetched once, for the first of them.

    `images` gives what builds images, where there are any.
    """

    def __init__(
        self,
        documents: Documents,
        source_key: str,
        snapshot: Snapshot,
        folder: Path,
        errands: Errands | None = None,
        images: Callable[[], ImageBuilder] | None = None,
    ) -> None:
        self._documents = documents
        self._errands = errands
        self._make_images = images
        self._source_key = source_key
        self._snapshot = snapshot
        self._folder = folder
        self._locks: dict[tuple[str, ...], Lock] = {}

    @cached_property
    def _source(self) -> Source:
        packed = self._folder / "source.zip"
        self._documents.download(self._source_key, packed)
        return Source(packed)

    @cached_property
    def _shelf(self) -> Shelf:
        return Shelf(self._folder / "shelf", self._documents)

    @cached_property
    def _images(self) -> ImageBuilder:
        if self._make_images is None:
            message = "images are not built here"
            raise BuildFailed(message)
        return self._make_images()

    def build(self, key: str) -> bool | None:
        """Build an artifact and store it with its record.

        False where it stood there already, None where CodeBuild has not made it yet.
        """
        documents = self._documents
        if documents.exists(record_key(key)):
            return False
        function = self._snapshot.function_of(key)
        if function.method is Method.IMAGE:
            documents.write(record_key(key), self._build_image(function))
            return True
        with TemporaryDirectory(dir=self._folder) as name:
            built = Path(name) / "function.zip"
            lock = self._lock(function)
            made = self._make(function, lock, built)
            if made is None:
                return None
            if not documents.write_once(archive_key(key), built):
                built, made = Path(name) / "stands.zip", made._replace(sha256="")
                documents.download(archive_key(key), built)
            users = (one for one in self._snapshot.functions if one.artifact == key)
            with open_zip(built) as archive:
                check_handlers(archive, users, self._snapshot)
                documents.write(record_key(key), self._describe(function, lock, archive, made))
        return True

    def _describe(
        self, function: FunctionSnapshot, lock: Lock, archive: zipfile.ZipFile, made: Made
    ) -> Artifact:
        """The record of a zip, read off its bytes, with what is known besides; its bill is stored."""
        found = measure(archive, function, made.sha256)
        subject = Subject(
            key=found.key,
            sha256=found.sha256,
            runtime=found.runtime,
            architecture=found.architecture,
            built_in=function.built_in,
        )
        components = [*list_components(archive, lock, _target(function)), *made.hidden]
        return self._tell(found, render(subject, components), components)

    def _build_image(self, function: FunctionSnapshot) -> Artifact:
        """Build an image, and its bill; its record."""
        lock, context = self._lock(function), self._source.code(function.code_uri)
        users = [one for one in self._snapshot.functions if one.artifact == function.artifact]
        made = self._images.build(users, lock, _target(function), context)
        found = _start_record(function, made.digest.removeprefix("sha256:"), made.size, made.unpacked)
        subject = Subject(
            key=found.key, sha256=found.sha256, runtime=found.runtime, architecture=found.architecture
        )
        base = _name_base(function)
        bill = render(subject, made.components, base)
        return self._tell(found, bill, made.components, bases=1 if base else 0)

    def _tell(
        self, found: Artifact, bill: bytes, components: Sequence[Component], *, bases: int = 0
    ) -> Artifact:
        """A record with its bill, which is stored."""
        if not write_bill(self._documents, found.bill, bill):
            bill = self._documents.find_bytes(found.bill) or bill
            if read_subject(bill) != found.sha256:
                raise BuildFailed(f"{found.bill} is of other bytes than those beside it")
        told = {
            "lock": tuple(sorted({one.pin for one in components if one.pin})),
            "bill_sha256": hashlib.sha256(bill).hexdigest(),
            "components": len(components) + bases,
        }
        return found.model_copy(update=told)

    def _make(self, function: FunctionSnapshot, lock: Lock, built: Path) -> Made | None:
        """Write a function's zip; None where CodeBuild has not made it yet."""
        if function.method in ERRANDS:
            return self._errand(function, lock, built)
        place = f"{function.logical_id} in {function.code_uri}"
        if function.method is Method.ARCHIVE:
            self._source.write_file(function.code_uri, built)
            size = unpacked_size(built)
            if size > MAX_UNZIPPED:
                raise BuildFailed(f"{place} unpacks to {size:,} bytes; Lambda allows {MAX_UNZIPPED:,}")
            return Made()
        code = self._source.code(function.code_uri)
        if function.method in NODE_METHODS:
            return Made(hidden=self._node.make(function, lock, code, built))
        return Made(assemble(built, self._shelf.parts(lock), code, place).sha256)

    def _errand(self, function: FunctionSnapshot, lock: Lock, built: Path) -> Made | None:
        if self._errands is None:
            raise BuildFailed(f"{function.logical_id}: nothing is built at CodeBuild here")
        made = self._errands.make(function, lock, self._code, self._shelf, built)
        return Made() if made else None

    def _code(self, folder: str) -> Part:
        return self._source.code(folder)

    @cached_property
    def _node(self) -> NodeBuilder:
        return NodeBuilder(self._folder, self._documents)

    def _lock(self, function: FunctionSnapshot) -> Lock:
        target = _target(function)
        if not function.lock:
            return Lock()
        if target is None:
            key = (function.lock, function.architecture, function.member)
            if key not in self._locks:
                self._locks[key] = read_modules(self._documents, *key)
            return self._locks[key]
        return read_lock(self._documents, function.lock, target)


def _target(function: FunctionSnapshot) -> Target | None:
    """What a function's wheels are for; None where it runs no Python."""
    if not function.runtime.startswith("python"):
        return None
    return Target(python_version(function.runtime), platform(function.runtime, function.architecture))


def _name_base(function: FunctionSnapshot) -> BaseComponent | None:
    """What an image begins from; nothing where it is taken as it stands."""
    image = function.image
    if image is None or image.recipe is None:
        return None
    reference = read_reference(image.base)
    return BaseComponent(name=reference.name if reference else image.base, digest=image.digest)


class Source:
    """A commit's source.zip, whose files are copied out of it as they are."""

    def __init__(self, packed: Path) -> None:
        self._part = read_part(packed, "the source")
        self._paths = [entry.path for entry in self._part.entries]

    def code(self, folder: str) -> Part:
        """What of a code folder (or the one file of that path) goes into an artifact."""
        if folder == ".":
            return move(self._part, lambda path: None if is_left_out(path) else path)
        prefix = f"{folder}/"
        first = bisect_left(self._paths, prefix)
        last = bisect_left(self._paths, f"{prefix}\U0010ffff")
        within = self._part._replace(entries=self._part.entries[first:last] or self._file(folder), whole=0)
        base = prefix if first < last else f"{posixpath.dirname(folder)}/".lstrip("/")
        return move(within, lambda path: None if is_left_out(path[len(base) :]) else path[len(base) :])

    def write_file(self, path: str, file: Path) -> None:
        """Copy one file of the source, unpacked."""
        (entry,) = self._file(path)
        file.write_bytes(read_entry(self._part.file, entry))

    def _file(self, path: str) -> tuple[Entry, ...]:
        place = bisect_left(self._paths, path)
        return self._part.entries[place : place + 1] if path in self._paths[place : place + 1] else ()


def measure(archive: zipfile.ZipFile, function: FunctionSnapshot, sha256: str) -> Artifact:
    """What a zip's bytes alone tell of it; they are hashed where that has not been done."""
    built = Path(archive.filename or "")
    unzipped = sum(member.file_size for member in archive.infolist())
    if not sha256:
        with built.open("rb") as body:
            sha256 = hashlib.file_digest(body, "sha256").hexdigest()
    return _start_record(function, sha256, built.stat().st_size, unzipped)


def _start_record(function: FunctionSnapshot, digest: str, size: int, unzipped: int) -> Artifact:
    """A record without what a bill adds."""
    return Artifact(
        key=function.artifact,
        sha256=digest,
        size=size,
        unzipped_size=unzipped,
        runtime=function.runtime,
        architecture=function.architecture,
        lock=(),
        method=function.method,
        built_in=function.built_in,
        bill=bill_key(function.object_key),
        bill_sha256="",
        components=0,
    )


def check_handlers(
    archive: zipfile.ZipFile, functions: Iterable[FunctionSnapshot], snapshot: Snapshot
) -> None:
    """BuildFailed where a function's handler cannot be in the zip; a handler may also come from a layer."""
    paths = set(archive.namelist())
    for function in functions:
        if function.has_layers:
            continue
        fault = _find_fault(function, paths, archive.read)
        if fault:
            message = f"{function.logical_id} in {function.code_uri}: {fault[0]}"
            raise BuildFailed(message, file=snapshot.file_of(function), line=function.line)


def _find_fault(
    function: FunctionSnapshot, paths: Collection[str], read: Callable[[str], bytes]
) -> tuple[str, int] | None:
    if function.runtime.startswith(NODE):
        return find_node_fault(function.handler, paths)
    if not function.runtime.startswith("python"):
        return None
    minor = int(python_version(function.runtime).partition(".")[2])
    return find_fault(function.handler, paths, read, syntax=minor <= sys.version_info.minor)
