"""Manifests and configurations of images: read from a registry, chosen for an architecture, and made.

Every document is told by the SHA-256 of its bytes, so these are kept and never written again from what was
read. Sources: https://github.com/opencontainers/image-spec (manifest, index, config) and
https://distribution.github.io/distribution/spec/manifest-v2-2/.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tidegate.domain.errors import BuildFailed
from tidegate.domain.identity import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .recipes import Recipe

DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
INDICES: Final = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)
ACCEPTED: Final = (DOCKER_MANIFEST, OCI_MANIFEST, *INDICES)
# What the layers that are added are called, by the kind of the manifest that they are added to.
LAYER_TYPES: Final = {
    DOCKER_MANIFEST: "application/vnd.docker.image.rootfs.diff.tar.gzip",
    OCI_MANIFEST: "application/vnd.oci.image.layer.v1.tar+gzip",
}
# What Lambda takes: no other compression, and no layers that lie elsewhere.
READABLE: Final = frozenset({*LAYER_TYPES.values(), "application/vnd.oci.image.layer.v1.tar"})
DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")
MACHINES: Final = {"amd64": "x86_64", "arm64": "arm64"}
MAX_LAYERS: Final = 127
MAX_DOCUMENT: Final = 4 * 1024 * 1024  # bytes; the limit of registries
EPOCH: Final = "1980-01-01T00:00:00Z"


class Descriptor(Frozen):
    """A blob: its kind, its digest as sha256:… and its size in bytes."""

    media_type: str
    digest: str = Field(pattern=f"^{DIGEST.pattern}$")
    size: int = Field(ge=0)


class ImageManifest(Frozen):
    """A manifest of one image: its kind, its configuration's blob and its layers, the lowest first."""

    digest: str
    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Everything that must be in the repository before the manifest, each once."""
        return tuple({one.digest: one for one in (*self.layers, self.config)}.values())


class Runtime(BaseModel):
    """What of an image's configuration counts for us; `config` has Docker's own names."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    architecture: str = ""
    os: str = ""
    config: dict[str, Any] | None = None
    rootfs: dict[str, Any] = Field(default_factory=dict)

    @property
    def entrypoint(self) -> tuple[str, ...]:
        """What is started; empty where it is left to the command."""
        return tuple((self.config or {}).get("Entrypoint") or ())

    @property
    def command(self) -> tuple[str, ...]:
        """What it is given: Lambda's handler."""
        return tuple((self.config or {}).get("Cmd") or ())

    @property
    def triggers(self) -> tuple[str, ...]:
        """What ONBUILD asks for wherever something is built on the image."""
        return tuple((self.config or {}).get("OnBuild") or ())

    @property
    def environment(self) -> dict[str, str]:
        """The variables."""
        pairs = (self.config or {}).get("Env") or ()
        return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}

    @property
    def working_folder(self) -> str:
        """Where processes begin."""
        return str((self.config or {}).get("WorkingDir") or "/")

    @property
    def labels(self) -> dict[str, str]:
        """The labels."""
        return dict((self.config or {}).get("Labels") or {})

    @property
    def diff_ids(self) -> tuple[str, ...]:
        """The digests of the unpacked layers, the lowest first."""
        return tuple(self.rootfs.get("diff_ids") or ())


class Layer(Frozen):
    """A layer of ours: the digest and size of its blob, the digest of its tar, and what it holds in words."""

    digest: str = Field(pattern=f"^{DIGEST.pattern}$")
    size: int
    diff_id: str = Field(pattern=f"^{DIGEST.pattern}$")
    unpacked: int = Field(description="bytes of its tar")
    holds: str

    @property
    def descriptor(self) -> Descriptor:
        """Its blob, of the usual kind."""
        return Descriptor(media_type=LAYER_TYPES[DOCKER_MANIFEST], digest=self.digest, size=self.size)


class Image(NamedTuple):
    """A finished image: its configuration's and its manifest's bytes, and what the manifest says."""

    config: bytes
    body: bytes
    manifest: ImageManifest


def digest_of(body: bytes) -> str:
    """The digest of a document or blob."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def read_document(body: bytes, digest: str, where: str) -> dict[str, Any]:
    """A JSON document by its digest; BuildFailed where the bytes are others, or no such document."""
    if len(body) > MAX_DOCUMENT or digest_of(body) != digest:
        raise BuildFailed(f"{where} has not the bytes of its digest {digest}")
    try:
        data = json.loads(body)
    except ValueError as error:
        raise BuildFailed(f"{where} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise BuildFailed(f"{where} is no document of an image")
    return data


def choose_manifest(data: Mapping[str, Any], architecture: str, where: str) -> str | None:
    """The digest of the manifest for an architecture in an index; None where it is no index."""
    if data.get("mediaType") not in INDICES and "manifests" not in data:
        return None
    offered = [(one.get("platform") or {}, str(one.get("digest", ""))) for one in data.get("manifests", ())]
    found = [
        digest
        for platform, digest in offered
        if platform.get("os") == "linux" and MACHINES.get(platform.get("architecture", "")) == architecture
    ]
    if len(found) != 1:
        raise BuildFailed(f"{where} has {len(found)} images for linux on {architecture}, not one")
    return found[0]


def read_manifest(body: bytes, digest: str, where: str) -> ImageManifest:
    """A manifest by its digest; BuildFailed where it is none that Lambda takes."""
    data = read_document(body, digest, where)
    media_type = str(data.get("mediaType") or OCI_MANIFEST)
    if data.get("schemaVersion") != 2 or media_type not in LAYER_TYPES:  # noqa: PLR2004
        raise BuildFailed(f"{where} is of the kind {media_type}, which Lambda does not take as an image")
    try:
        config, *layers = [_read_descriptor(one) for one in (data["config"], *data["layers"])]
    except (KeyError, TypeError, ValidationError) as error:
        raise BuildFailed(f"{where} is no manifest of an image: {error}") from error
    if foreign := [one.media_type for one in layers if one.media_type not in READABLE]:
        raise BuildFailed(f"{where} has a layer of the kind {foreign[0]}, which Lambda does not read")
    if len(layers) > MAX_LAYERS:
        raise BuildFailed(f"{where} has {len(layers)} layers; {MAX_LAYERS} are allowed")
    return ImageManifest(digest=digest, media_type=media_type, config=config, layers=tuple(layers))


def _read_descriptor(data: Mapping[str, Any]) -> Descriptor:
    return Descriptor(media_type=data["mediaType"], digest=data["digest"], size=data["size"])


def read_config(body: bytes, digest: str, where: str) -> Runtime:
    """The configuration of an image by its digest."""
    data = read_document(body, digest, where)
    try:
        return Runtime.model_validate(data)
    except ValidationError as error:
        raise BuildFailed(f"{where} has no configuration that is understood: {error}") from error


def make_image(
    base: ImageManifest, base_config: bytes, recipe: Recipe, layers: Sequence[Layer], where: str
) -> Image:
    """The image of a recipe: the base's layers below ours, and a configuration that tells of both.

    Equal for equal content: there is no clock in it, and its keys are sorted.
    """
    data = read_document(base_config, base.config.digest, where)
    runtime = Runtime.model_validate(data)
    if len(runtime.diff_ids) != len(base.layers):
        raise BuildFailed(f"{where} names {len(base.layers)} layers and tells of {len(runtime.diff_ids)}")
    if len(base.layers) + len(layers) > MAX_LAYERS:
        raise BuildFailed(f"{where}: the image would have more than {MAX_LAYERS} layers")
    told = {
        **data,
        "created": EPOCH,
        "config": _configure(dict(runtime.config or {}), recipe, runtime),
        "rootfs": {"type": "layers", "diff_ids": [*runtime.diff_ids, *(one.diff_id for one in layers)]},
        "history": [*(data.get("history") or ()), *_tell(layers)],
    }
    # Docker's records of the container that the base was made in, which say nothing of this image.
    for name in ("container", "container_config", "id", "parent"):
        told.pop(name, None)
    config = write_document(told)
    kind = LAYER_TYPES[base.media_type]
    added = [Descriptor(media_type=kind, digest=one.digest, size=one.size) for one in layers]
    about = Descriptor(media_type=base.config.media_type, digest=digest_of(config), size=len(config))
    body = write_document(
        {
            "schemaVersion": 2,
            "mediaType": base.media_type,
            "config": _write_descriptor(about),
            "layers": [_write_descriptor(one) for one in (*base.layers, *added)],
        }
    )
    return Image(config, body, read_manifest(body, digest_of(body), where))


def write_document(data: Mapping[str, Any]) -> bytes:
    """JSON in one form: sorted, and without spaces."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _write_descriptor(one: Descriptor) -> dict[str, Any]:
    return {"mediaType": one.media_type, "digest": one.digest, "size": one.size}


def _configure(config: dict[str, Any], recipe: Recipe, base: Runtime) -> dict[str, Any]:
    variables = base.environment | dict(sorted(recipe.environment.items()))
    config["Env"] = [f"{name}={value}" for name, value in variables.items()]
    config["WorkingDir"] = recipe.working_folder
    if labels := base.labels | recipe.labels:
        config["Labels"] = labels
    if recipe.entrypoint is not None:
        config["Entrypoint"] = list(recipe.entrypoint)
        # An entrypoint takes the base's command away, as Docker has it.
        config.pop("Cmd", None)
    if recipe.command is not None:
        config["Cmd"] = list(recipe.command)
    return config


def _tell(layers: Iterable[Layer]) -> list[dict[str, str]]:
    return [{"created": EPOCH, "created_by": f"tidegate: {one.holds}"} for one in layers]
