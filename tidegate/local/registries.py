"""Image registries that refuse what Amazon ECR refuses, and give back what was pushed.

moto takes manifests whose layers are missing, makes digests up, keeps no layer's bytes and gives none back.
Here a digest is that of the bytes, parts and layers are checked, and tags of immutable repositories stay.
https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html and its neighbours.
"""

from __future__ import annotations

import hashlib
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.ecr import models, responses
from moto.ecr.exceptions import ImageAlreadyExistsException, InvalidParameterException

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tidegate.local.cloud import LocalCloud

PREFIX: Final = "/registry-layers/"
LEAST_PART: Final = 5 * 1024 * 1024
MOST_PART: Final = 20 * 1024 * 1024
RUNNING: dict[str, Any] = {}


class RegistryError(ServiceException):  # type: ignore[misc]
    """One of ECR's errors, by its name."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


def install(cloud: LocalCloud) -> None:
    """Make moto's registries strict, and serve their layers."""
    backend = models.ECRBackend
    RUNNING["endpoint"] = cloud.endpoint_url
    RUNNING["upload_part"] = cloud.patch(backend, "upload_layer_part", upload_layer_part)
    RUNNING["check"] = cloud.patch(backend, "batch_check_layer_availability", check_layers)
    cloud.patch(backend, "complete_layer_upload", complete_layer_upload)
    cloud.patch(backend, "put_image", put_image)
    cloud.patch(responses.ECRResponse, "get_download_url_for_layer", answer_download_url)
    cloud.server.app.mounts[PREFIX] = serve


def blobs_of(repository: Any) -> dict[str, bytes]:  # noqa: ANN401
    """The bytes of a repository's layers and configurations, by their digests."""
    kept: dict[str, bytes] = repository.__dict__.setdefault("blobs", {})
    return kept


def upload_layer_part(
    self: Any,  # noqa: ANN401
    repository_name: str,
    upload_id: str,
    part_first_byte: int,
    part_last_byte: int,
    layer_part_blob: bytes,
    registry_id: str | None = None,
) -> dict[str, Any]:
    """Take a part; raises where it has another size than it says."""
    size = len(layer_part_blob or b"")
    if size != part_last_byte - part_first_byte + 1 or not 0 < size <= MOST_PART:
        raise RegistryError("InvalidParameterException", f"The layer part has {size} bytes.")
    answer: dict[str, Any] = RUNNING["upload_part"](
        self, repository_name, upload_id, part_first_byte, part_last_byte, layer_part_blob, registry_id
    )
    upload = self._get_repository(repository_name, registry_id).uploads[upload_id]
    upload.__dict__.setdefault("sizes", []).append(size)
    return answer


def complete_layer_upload(
    self: Any,  # noqa: ANN401
    repository_name: str,
    upload_id: str,
    layer_digests: list[str],
    registry_id: str | None = None,
) -> dict[str, Any]:
    """Take a layer whose bytes are those of the digest that it is announced by."""
    repository = self._get_repository(repository_name, registry_id)
    upload = repository.uploads.get(upload_id)
    if upload is None:
        raise models.UploadNotFoundException(upload_id, repository_name, repository.registry_id)
    body, sizes = bytes(upload.layer_parts), upload.__dict__.get("sizes", [])
    if not sizes:
        raise RegistryError("EmptyUploadException", f"The upload {upload_id} has no parts.")
    if any(size < LEAST_PART for size in sizes[:-1]):
        raise RegistryError("LayerPartTooSmallException", "Layer parts must be at least 5 MiB in size.")
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    if digest not in layer_digests:
        raise RegistryError("InvalidLayerException", f"The layer has the digest {digest}.")
    del repository.uploads[upload_id]
    if digest in repository.layers:
        raise RegistryError("LayerAlreadyExistsException", f"The layer {digest} already exists.")
    blobs_of(repository)[digest] = body
    repository.layers[digest] = len(body)
    return {
        "registryId": repository.registry_id,
        "repositoryName": repository_name,
        "uploadId": upload_id,
        "layerDigest": digest,
    }


def check_layers(
    self: Any,  # noqa: ANN401
    repository_name: str,
    layer_digests: list[str],
    registry_id: str | None = None,
) -> dict[str, Any]:
    """Tell which layers there are; raises for more than one call may ask for."""
    if not 1 <= len(layer_digests) <= 100:  # noqa: PLR2004
        raise InvalidParameterException("layerDigests must have 1 to 100 members")
    answer: dict[str, Any] = RUNNING["check"](self, repository_name, layer_digests, registry_id)
    return answer


def put_image(
    self: Any,  # noqa: ANN401
    repository_name: str,
    image_manifest: str,
    image_tag: str | None,
    image_manifest_mediatype: str | None = None,
    digest: str | None = None,
) -> Any:  # noqa: ANN401
    """Take a manifest that is whole: its layers are here, and its digest is that of its bytes."""
    repository = self._get_repository(repository_name)
    try:
        data = json.loads(image_manifest)
    except ValueError as error:
        raise InvalidParameterException("Invalid JSON syntax of imageManifest") from error
    media_type = image_manifest_mediatype or data.get("mediaType")
    if not media_type or data.get("mediaType", media_type) != media_type:
        raise InvalidParameterException("image manifest mediatype not provided in manifest or parameter")
    found = f"sha256:{hashlib.sha256(image_manifest.encode()).hexdigest()}"
    if digest not in {None, found}:
        raise RegistryError(
            "ImageDigestDoesNotMatchException",
            f"The provided digest {digest} does not match the digest {found} of the manifest.",
        )
    _check_members(repository, data)
    image = next((one for one in repository.images if one.get_image_digest() == found), None)
    if image is not None and (image_tag is None or image_tag in image.image_tags):
        raise ImageAlreadyExistsException(repository_name, repository.registry_id, found, str(image_tag))
    _take_tag(repository, image_tag)
    if image is None:
        account = repository.registry_id
        image = models.Image(account, image_tag, image_manifest, repository_name, media_type, found)
        repository.images.append(image)
    elif image_tag is not None:
        image.update_tag(image_tag)
    return image


def _check_members(repository: Any, data: Mapping[str, Any]) -> None:  # noqa: ANN401
    """Raise where a layer, the configuration, or an index's image is not in the repository."""
    described = [data[name] for name in ("config",) if name in data]
    missing = _missing((*described, *data.get("layers", ())), repository.layers)
    if missing:
        raise RegistryError("LayersNotFoundException", f"Layers with digests {missing} could not be found.")
    known = {one.get_image_digest() for one in repository.images}
    if missing := _missing(data.get("manifests", ()), known):
        raise RegistryError("ReferencedImagesNotFoundException", f"Images {missing} could not be found.")


def _missing(described: Iterable[Mapping[str, Any]], known: Iterable[str]) -> list[str]:
    present = set(known)
    return [str(one.get("digest")) for one in described if one.get("digest") not in present]


def _take_tag(repository: Any, tag: str | None) -> None:  # noqa: ANN401
    """Take a tag from the image that has it; raises where tags do not move."""
    for other in [one for one in repository.images if tag is not None and tag in one.image_tags]:
        if repository.is_tag_immutable():
            message = (
                f"The image tag '{tag}' already exists in the '{repository.name}' repository and cannot "
            )
            message += "be overwritten because the repository is immutable."
            raise RegistryError("ImageTagAlreadyExistsException", message)
        other.remove_tag(tag)


def answer_download_url(self: Any) -> ActionResult:  # noqa: ANN401
    """Answer GetDownloadUrlForLayer; whoever has the address may download, as with a presigned one."""
    name, digest = self._get_param("repositoryName"), self._get_param("layerDigest")
    repository = self.ecr_backend._get_repository(name, self._get_param("registryId"))
    if digest not in blobs_of(repository):
        raise RegistryError(
            "LayersNotFoundException", f"The layer with digest '{digest}' could not be found."
        )
    place = f"{repository.registry_id}/{repository.region_name}/{digest}/{name}"
    return ActionResult({"downloadUrl": f"{RUNNING['endpoint']}{PREFIX}{place}", "layerDigest": digest})


def find_blob(account: str, region: str, name: str, digest: str) -> bytes | None:
    """The bytes of a layer or configuration, if the repository has it."""
    repository = models.ecr_backends[account][region].repositories.get(name)
    return blobs_of(repository).get(digest) if repository else None


def serve(environ: Mapping[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answer a download."""
    account, region, digest, name = environ["PATH_INFO"].removeprefix(PREFIX).split("/", 3)
    body = find_blob(account, region, name, digest)
    status = HTTPStatus.OK if body is not None else HTTPStatus.NOT_FOUND
    headers = [("Content-Type", "application/octet-stream"), ("Content-Length", str(len(body or b"")))]
    start_response(f"{status.value} {status.phrase}", headers)
    return [body or b""]
