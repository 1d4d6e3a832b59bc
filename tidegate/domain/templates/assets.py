"""A CDK template's assets, resolved through the asset manifest beside it to paths of the source.

In a synthesized template code stands as an object of the CDK's own bucket, which Tidegate does not use: each
such object that the manifest knows becomes the path that it was made from, and is packaged from there. So the
check of the CDK's bootstrap version goes too. May not read files: the manifest comes as data.
https://docs.aws.amazon.com/cdk/v2/guide/assets.html and aws-cdk-lib/cloud-assembly-schema
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from tidegate.domain.errors import UnsupportedTemplate

from .functions import ASSET_PATH, ASSET_PROPERTY
from .intrinsics import copy
from .packages import PACKAGED, Packaged, find
from .template import LAMBDA_FUNCTION, Template, properties_of
from .tree import STACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BOOTSTRAP_PARAMETER, BOOTSTRAP_RULE = "BootstrapVersion", "CheckBootstrapVersion"
_CODE = Packaged(("Code",), "zip", "s3bucket_object_version")
_KEYS = ("S3Key", "Key")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class _Source(_Part):
    path: str | None = None


class _Destination(_Part):
    key: str = Field(alias="objectKey")


class _File(_Part):
    source: _Source
    destinations: dict[str, _Destination]


class AssetManifest(_Part):
    """The part of `<stack>.assets.json` that counts: what each object is made from, and the images."""

    files: dict[str, _File] = Field(default_factory=dict)
    images: dict[str, Any] = Field(default_factory=dict, alias="dockerImages")

    @property
    def paths(self) -> dict[str, str | None]:
        """By object key the path, relative to the manifest; None for what a program makes."""
        return {
            destination.key: file.source.path
            for file in self.files.values()
            for destination in file.destinations.values()
        }


def resolve_assets(template: Template, manifest: AssetManifest) -> Template:
    """The template with paths for its assets; UnsupportedTemplate names one that cannot be packaged."""
    data = copy(template.data)
    paths = manifest.paths
    for logical_id, resource in data["Resources"].items():
        for line in _lines(resource):
            _resolve(template, logical_id, resource, line, paths)
        if resource["Type"] == STACK:
            _resolve_nested(template, logical_id, resource, paths)
        for key in _mentions(properties_of(resource), paths):
            raise _unsupported(
                template, logical_id, f"uses the CDK asset {key} in a way that is not supported"
            )
    if manifest.images:
        raise UnsupportedTemplate(
            f"the container image asset {next(iter(manifest.images))} is not supported", file=template.file
        )
    for section, name in (("Parameters", BOOTSTRAP_PARAMETER), ("Rules", BOOTSTRAP_RULE)):
        kept = {key: value for key, value in (data.pop(section, None) or {}).items() if key != name}
        data |= {section: kept} if kept else {}
    return template.with_data(data)


def _lines(resource: Mapping[str, Any]) -> tuple[Packaged, ...]:
    return (_CODE,) if resource["Type"] == LAMBDA_FUNCTION else PACKAGED.get(resource["Type"], ())


def _resolve(
    template: Template,
    logical_id: str,
    resource: dict[str, Any],
    line: Packaged,
    paths: Mapping[str, str | None],
) -> None:
    for found, value in find(properties_of(resource), line.path):
        key = (
            next((value[name] for name in _KEYS if name in value), None) if isinstance(value, dict) else None
        )
        if not isinstance(key, str) or key not in paths:
            continue
        path = paths[key]
        if path is None:
            raise _unsupported(template, logical_id, f"has the CDK asset {key}, which a program makes")
        *parents, last = found
        holder: Any = resource["Properties"]
        for step in parents:
            holder = holder[int(step)] if isinstance(holder, list) else holder[step]
        holder[last] = path
        if line.path == found[:1]:
            resource["Metadata"] = {
                **(resource.get("Metadata") or {}),
                ASSET_PATH: path,
                ASSET_PROPERTY: last,
            }


def _resolve_nested(
    template: Template, logical_id: str, resource: dict[str, Any], paths: Mapping[str, str | None]
) -> None:
    """A nested stack's template, which its address names somewhere."""
    properties = resource.get("Properties") or {}
    for key in _mentions(properties.get("TemplateURL"), paths):
        if paths[key] is None:
            raise _unsupported(template, logical_id, f"has the CDK asset {key}, which a program makes")
        properties["TemplateURL"] = paths[key]
        return


def _mentions(value: object, keys: Mapping[str, str | None]) -> Iterator[str]:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _mentions(item, keys)
    elif isinstance(value, str):
        yield from (key for key in keys if key == value or f"/{key}" in value)


def _unsupported(template: Template, logical_id: str, message: str) -> UnsupportedTemplate:
    return UnsupportedTemplate(f"{logical_id} {message}", **template.place_of(logical_id))
