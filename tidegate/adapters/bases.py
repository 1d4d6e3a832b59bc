"""The images that functions are built on: found in the repositories that the pipeline's configuration names.

A tag is looked up once, when the commit is checked out: from then on the image is known by its digest, and
the release is built on that even where the tag moves meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tidegate.adapters.image_registries import Repository
from tidegate.domain.errors import BuildFailed, UnsupportedTemplate
from tidegate.domain.images.documents import (
    MACHINES,
    choose_manifest,
    read_config,
    read_document,
    read_manifest,
)
from tidegate.domain.images.references import find_repository, read_reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.domain.images.documents import ImageManifest, Runtime
    from tidegate.domain.images.references import Images


class Base(NamedTuple):
    """An image to build on: where it is, its manifest and configuration, understood and as they were read."""

    repository: str
    manifest: ImageManifest
    body: bytes
    runtime: Runtime
    config: bytes


class Bases:
    """The base images of a pipeline; each is looked up once. `client` gives one of ECR when it is needed."""

    def __init__(self, client: Callable[[], Any], images: Images) -> None:
        self._client = client
        self._images = images
        self._found: dict[tuple[str, str], Base] = {}

    def find(self, name: str, architecture: str, file: str, line: int) -> Base:
        """The image of a name for an architecture; UnsupportedTemplate where no repository stands for it.

        BuildFailed where the repository has not that image, or other bytes than its digest.
        """
        if (name, architecture) not in self._found:
            self._found[name, architecture] = self._find(name, architecture, file, line)
        return self._found[name, architecture]

    def _find(self, name: str, architecture: str, file: str, line: int) -> Base:
        reference = read_reference(name)
        if reference is None:
            raise UnsupportedTemplate(f"{name} is no name of an image", file=file, line=line)
        images = self._images
        repository = find_repository(reference, images.bases, images.account, images.region)
        if repository is None:
            message = f"no repository stands for the image {reference.name}: name one in the pipeline's "
            message += "configuration (`images`)"
            raise UnsupportedTemplate(message, file=file, line=line)
        try:
            base = self.read(repository, reference.identifier, architecture)
        except BuildFailed as error:
            raise BuildFailed(str(error), file=file, line=line) from error
        machine = MACHINES.get(base.runtime.architecture)
        if machine != architecture or base.runtime.os != "linux":
            message = f"{name} is for {base.runtime.os} on {machine or base.runtime.architecture}, and the "
            message += f"function for linux on {architecture}"
            raise UnsupportedTemplate(message, file=file, line=line)
        return base

    def read(self, repository: str, identifier: str, architecture: str) -> Base:
        """The image under a digest or a tag; of an index, the one for the architecture."""
        place = Repository(self._client(), repository)
        where = f"{repository}{'@' if identifier.startswith('sha256:') else ':'}{identifier}"
        found = place.find(identifier)
        if found is None:
            raise BuildFailed(f"the repository {repository} has no image {identifier}")
        chosen = choose_manifest(read_document(found.body, found.digest, where), architecture, where)
        if chosen is not None:
            found = place.find(chosen)
            if found is None:
                raise BuildFailed(f"the repository {repository} has no image {chosen}, which {where} names")
        manifest = read_manifest(found.body, found.digest, where)
        config = b"".join(place.read_blob(manifest.config))
        runtime = read_config(config, manifest.config.digest, where)
        return Base(repository, manifest, found.body, runtime, config)
