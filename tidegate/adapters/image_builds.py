"""Makes images without a daemon: layers over a base image, pushed into the pipeline's own repository.

Blobs come first, then the manifest: into the bucket, where the first one written under a key stays, and then
into the repository, under a tag that never moves. So two builders, or one that dies and another, leave one
image. Layers are known by what they hold: what did not change is neither packed nor pushed again.
"""

from __future__ import annotations

import posixpath
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tidegate.adapters.assembly import Part, assemble, move
from tidegate.adapters.bases import Bases
from tidegate.adapters.bills import list_components, open_zip
from tidegate.adapters.image_layers import Content, write_layer
from tidegate.adapters.image_registries import Repository, read_file
from tidegate.adapters.shelves import Shelf
from tidegate.domain.artifacts import manifest_key, python_version
from tidegate.domain.errors import BuildFailed
from tidegate.domain.handlers import find_fault
from tidegate.domain.images.contexts import place_copies
from tidegate.domain.images.documents import Image, Layer, digest_of, make_image, read_manifest
from tidegate.domain.images.ignores import is_ignored, read_patterns
from tidegate.domain.images.keys import layer_record, source_key, wheels_key
from tidegate.domain.images.references import packages_folder
from tidegate.domain.images.starts import find_task_root
from tidegate.domain.pipeline import IMAGE_REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tidegate.adapters.bases import Base
    from tidegate.adapters.documents import Documents
    from tidegate.domain.bills import Component
    from tidegate.domain.images.recipes import Recipe
    from tidegate.domain.images.references import Images
    from tidegate.domain.locks import Lock, Target
    from tidegate.domain.snapshots import FunctionSnapshot, ImageSnapshot

# Bytes that wheels and code of one image may unpack to; the builder's disk holds about three times as much.
MAX_CONTENT: Final = 1024 * 1024 * 1024


class MadeImage(NamedTuple):
    """A finished image: its manifest's digest (sha256:…), the size of its own layers, and what they hold."""

    digest: str
    size: int
    unpacked: int
    components: Sequence[Component] = ()


class Files(NamedTuple):
    """What is put into an image, under its paths there: wheels of a lock, and files of the context."""

    wheels: Sequence[Part]
    code: Part


class ImageBuilder:
    """Builds images in a folder, into the pipeline's repository."""

    def __init__(self, documents: Documents, client: Any, images: Images, folder: Path) -> None:  # noqa: ANN401
        self._documents = documents
        self._bases = Bases(lambda: client, images)
        self._client = client
        self._repository = Repository(client, IMAGE_REPOSITORY)
        self._folder = folder
        self._shelf = Shelf(folder / "image-shelf", documents, MAX_CONTENT)

    def build(
        self, users: Sequence[FunctionSnapshot], lock: Lock, target: Target | None, context: Part
    ) -> MadeImage:
        """Build and push the image that some functions have; BuildFailed says what is wrong with it.

        `context` are the files of its Dockerfile's context.
        """
        function, image = users[0], users[0].image
        if image is None:
            raise TypeError(f"{function.logical_id} is no image")
        base = self._bases.read(image.repository, image.digest, function.architecture)
        if image.recipe is None:
            self._bring(base)
            taken = Image(base.config, base.body, base.manifest)
            return MadeImage(self._store(function.artifact, taken), 0, 0)
        files = self._collect(image, image.recipe, lock, context)
        with TemporaryDirectory(dir=self._folder) as name:
            components = self._look(users, image.recipe, base, files, lock, target, Path(name))
            layers = self._make_layers(image, image.recipe, lock, files, Path(name))
        where = f"{image.repository}@{image.digest}"
        made = make_image(base.manifest, base.config, image.recipe, layers, where)
        self._bring(base)
        if self._repository.missing([made.manifest.config]):
            self._repository.push([made.config], made.manifest.config.digest)
        digest = self._store(function.artifact, made)
        sizes = [(one.size, one.unpacked) for one in layers]
        return MadeImage(digest, sum(one for one, _ in sizes), sum(one for _, one in sizes), components)

    def _collect(self, image: ImageSnapshot, recipe: Recipe, lock: Lock, context: Part) -> Files:
        """The wheels and the context's files under their paths in the image."""
        patterns = read_patterns(image.ignore, image.ignore_file)
        entries = {entry.path: entry for entry in context.entries}
        paths = (path for path in entries if not is_ignored(path, patterns))
        placed = sorted(place_copies(recipe.copies, paths, recipe.file).items())
        code = context._replace(
            entries=tuple(entries[source]._replace(path=path) for path, source in placed), whole=0
        )
        folder = recipe.install.folder if recipe.install else ""
        wheels = [move(part, lambda path: posixpath.join(folder, path)) for part in self._shelf.parts(lock)]
        return Files(wheels, code)

    def _look(
        self,
        users: Sequence[FunctionSnapshot],
        recipe: Recipe,
        base: Base,
        files: Files,
        lock: Lock,
        target: Target | None,
        folder: Path,
    ) -> list[Component]:
        """What the layers hold, read off the same bytes as one zip; clashes and lost handlers end it."""
        content = folder / "content.zip"
        name = f"{users[0].logical_id} in {recipe.file}"
        assemble(content, files.wheels, files.code, name, MAX_CONTENT)
        for function in users:
            _check_handler(content, function, recipe, base)
        with open_zip(content) as archive:
            return list_components(archive, lock, target, recipe.install.folder if recipe.install else "")

    def _make_layers(
        self, image: ImageSnapshot, recipe: Recipe, lock: Lock, files: Files, folder: Path
    ) -> list[Layer]:
        """The layers of ours, the one that changes seldom first; each is in the repository then."""
        layers = []
        if lock.wheels and recipe.install:
            key = wheels_key(lock.hashes, recipe.install.folder)
            holds = f"{len(lock.wheels)} wheels in /{recipe.install.folder}"
            contents = {one.path: one for part in reversed(files.wheels) for one in _list(part)}
            layers.append(self._layer(key, contents.values(), (), holds, folder))
        if files.code.entries or recipe.folders:
            key = source_key(image.tree, recipe.folders)
            holds = f"{len(files.code.entries)} files of the source"
            layers.append(self._layer(key, _list(files.code), recipe.folders, holds, folder))
        return layers

    def _layer(
        self, key: str, contents: Iterable[Content], folders: Iterable[str], holds: str, folder: Path
    ) -> Layer:
        """A layer by its key: the one that stands, else one that is packed and pushed."""
        known = self._documents.find(layer_record(key), Layer)
        if known and not self._repository.missing([known.descriptor]):
            return known
        file = folder / f"{key}.tar.gz"
        layer = write_layer(file, contents, folders, holds)
        if self._repository.missing([layer.descriptor]):
            self._repository.push(read_file(file), layer.digest)
        self._documents.write(layer_record(key), layer)
        return layer

    def _bring(self, base: Base) -> None:
        """The base's blobs, where the repository has not had them from an earlier image."""
        source = Repository(self._client, base.repository)
        wanted = base.manifest.blobs
        for blob in self._repository.missing(wanted):
            self._repository.copy(source, blob)

    def _store(self, key: str, made: Image) -> str:
        """Keep the manifest of an image whose blobs stand; the digest of the one that stands then."""
        body = made.body
        if not self._documents.write_bytes_once(manifest_key(key), body):
            body = self._documents.find_bytes(manifest_key(key)) or body
        digest = digest_of(body)
        manifest = read_manifest(body, digest, manifest_key(key))
        if digest != made.manifest.digest and self._repository.missing(manifest.blobs):
            raise BuildFailed(f"{manifest_key(key)} is of another image, whose layers are gone")
        self._repository.put(body, manifest.media_type, key)
        return digest


def _list(part: Part) -> Iterator[Content]:
    return (Content(entry.path, part.file, entry) for entry in part.entries)


def _check_handler(content: Path, function: FunctionSnapshot, recipe: Recipe, base: Base) -> None:
    """BuildFailed where a handler is in neither of the folders that it is looked for in."""
    if not function.handler or "PYTHONPATH" in base.runtime.environment | recipe.environment:
        return
    python = function.declared_runtime
    roots = [find_task_root(base.runtime, recipe), packages_folder(base.runtime, python)]
    with zipfile.ZipFile(content) as archive:
        found: Mapping[str, str] = {
            path.removeprefix(f"{root}/"): path
            for root in reversed([one for one in roots if one])
            for path in archive.namelist()
            if path.startswith(f"{root}/")
        }
        minor = int(python_version(python).partition(".")[2])
        fault = find_fault(
            function.handler,
            found.keys(),
            lambda path: archive.read(found[path]),
            syntax=minor <= sys.version_info.minor,
        )
    if fault:
        raise BuildFailed(f"{function.logical_id} in {recipe.file}: {fault[0]}")
