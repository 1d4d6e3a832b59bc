"""The template with its local paths replaced by S3 locations and images, each as its property asks for.

Exists because nothing deploys a local path. May not upload: the objects are stored already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidegate.domain.identity import Frozen

from .functions import read_functions
from .intrinsics import copy
from .packages import PACKAGED, PackageKey, Shape
from .template import SERVERLESS_FUNCTION, Template

if TYPE_CHECKING:
    from collections.abc import Mapping


class ImageObject(Frozen):
    """An image in a registry; uri names it by its digest."""

    uri: str


class S3Object(Frozen):
    """An object in S3; version is its VersionId, where the bucket has versions."""

    bucket: str
    key: str
    version: str | None = None


_FIELDS: Mapping[Shape, tuple[str, str, str | None]] = {
    "bucket": ("Bucket", "Key", "Version"),
    "s3bucket": ("S3Bucket", "S3Key", None),
    "s3bucket_object_version": ("S3Bucket", "S3Key", "S3ObjectVersion"),
    "code_commit": ("Bucket", "Key", "ObjectVersion"),
}


def place(
    template: Template,
    artifacts: Mapping[str, S3Object | ImageObject],
    packages: Mapping[PackageKey, S3Object],
    parameters: Mapping[str, str] | None = None,
) -> Template:
    """The template with every function's artifact and every package at its place.

    artifacts: by logical id, one for each function that is built. packages: by key, as read_packages gave
    them. Raises KeyError for one that is missing: the caller forgot it.
    """
    data = copy(template.data)
    for source in read_functions(template, parameters):
        if source.is_built:
            _place_function(data["Resources"][source.logical_id], artifacts[source.logical_id])
    for key, item in packages.items():
        _place_package(data["Resources"][key.logical_id], key.property_path.split("."), item)
    _drop_shared_path(data)
    return template.with_data(data)


def location(item: S3Object, shape: Shape) -> str | dict[str, str]:
    """An S3 object as a property of this shape expects it."""
    if shape == "uri":
        return f"s3://{item.bucket}/{item.key}"
    bucket, key, version = _FIELDS[shape]
    place_of_item = {bucket: item.bucket, key: item.key}
    return {**place_of_item, version: item.version} if version and item.version else place_of_item


def _place_function(resource: dict[str, Any], item: S3Object | ImageObject) -> None:
    serverless = resource["Type"] == SERVERLESS_FUNCTION
    properties = resource["Properties"] = resource.get("Properties") or {}
    if isinstance(item, ImageObject):
        properties |= {"ImageUri": item.uri} if serverless else {"Code": {"ImageUri": item.uri}}
        return
    properties["CodeUri" if serverless else "Code"] = location(
        item, "bucket" if serverless else "s3bucket_object_version"
    )


def _place_package(resource: dict[str, Any], path: list[str], item: S3Object) -> None:
    lines = PACKAGED[resource["Type"]]
    line = next(line for line in lines if _fits(line.path, path))
    target: Any = resource["Properties"]
    for part in path[:-1]:
        target = target[int(part)] if isinstance(target, list) else target[part]
    target[path[-1]] = location(item, line.shape)


def _fits(pattern: tuple[str, ...], path: list[str]) -> bool:
    return len(pattern) == len(path) and all(a in {"*", b} for a, b in zip(pattern, path, strict=True))


def _drop_shared_path(data: dict[str, Any]) -> None:
    """A local `Globals.Function.CodeUri` has been given to each function; the translator would refuse it."""
    shared = (data.get("Globals") or {}).get("Function") or {}
    if isinstance(shared.get("CodeUri"), str) and not shared["CodeUri"].startswith("s3://"):
        del shared["CodeUri"]
