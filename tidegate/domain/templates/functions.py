"""The Lambda functions of a template as its author wrote it: what has to be built, and from where.

Reads the raw template, before translation. May not look at files: a code path is text here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidegate.domain.errors import InvalidTemplate
from tidegate.domain.identity import Frozen

from .images import IMAGE, ImageSource, read_image
from .intrinsics import direct_reference
from .literals import Literals
from .sam_globals import function_properties
from .template import LAMBDA_FUNCTION, SERVERLESS_FUNCTION, Template, properties_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ASSET_PATH, ASSET_PROPERTY = "aws:asset:path", "aws:asset:property"


class FunctionSource(Frozen):
    """One function as the template declares it.

    code_uri: the local path, relative to the template; None if the code is inline or in S3 already.
    build_method, skip_build: `BuildMethod` and `SkipBuild` in the resource's Metadata.
    layers: the logical ids of those of its layers that the same template declares.
    image: how its image is made, or where it is; None where it is packaged as a zip.
    """

    logical_id: str
    code_uri: str | None
    handler: str | None
    runtime: str | None
    architecture: str = "x86_64"
    package_type: str = "Zip"
    build_method: str | None = None
    skip_build: bool = False
    layers: tuple[str, ...] = ()
    image: ImageSource | None = None
    line: int = 0

    @property
    def is_built(self) -> bool:
        """Whether an artifact stands for it: its code is local, or it is an image."""
        return self.code_uri is not None or self.image is not None


def read_functions(
    template: Template, parameters: Mapping[str, str] | None = None
) -> tuple[FunctionSource, ...]:
    """Every function of the template, in its order.

    Raises UnsupportedTemplate where a path, handler, runtime or architecture depends on what only the
    deployment knows, and InvalidTemplate where one of them is not text.
    """
    literals = Literals(template, parameters or {})
    return tuple(
        _read_function(template, logical_id, resource, literals)
        for logical_id, resource in template.of_type(SERVERLESS_FUNCTION, LAMBDA_FUNCTION)
    )


def _read_function(
    template: Template, logical_id: str, resource: dict[str, Any], literals: Literals
) -> FunctionSource:
    properties = function_properties(template, logical_id)
    metadata = resource.get("Metadata") or {}
    code_uri = local_code(template, logical_id, literals)
    needed = code_uri is not None
    is_image = literals.read_if_known(properties.get("PackageType")) == IMAGE

    def text(name: str) -> str | None:
        raw = properties.get(name)
        value = literals.read(raw, logical_id, name) if needed else literals.read_if_known(raw)
        return (
            _text(template, logical_id, name, value)
            if needed
            else (value if isinstance(value, str) else None)
        )

    return FunctionSource(
        logical_id=logical_id,
        code_uri=code_uri,
        handler=text("Handler"),
        runtime=text("Runtime"),
        architecture=_architecture(template, logical_id, properties, literals, needed=needed or is_image),
        package_type=str(literals.read_if_known(properties.get("PackageType")) or "Zip"),
        build_method=metadata.get("BuildMethod"),
        skip_build=str(metadata.get("SkipBuild", False)).lower() == "true",
        layers=tuple(_own_layers(template, properties)),
        image=read_image(template, logical_id, literals),
        line=template.lines.get(logical_id, 0),
    )


def local_code(template: Template, logical_id: str, literals: Literals) -> str | None:
    """The local path of a function's code; None where it is inline, in S3, or an image.

    A serverless function with no code at all means the template's own folder, as in the SAM CLI.
    """
    properties = function_properties(template, logical_id)
    if literals.read_if_known(properties.get("PackageType")) == IMAGE:
        return None
    if asset := asset_path(template.data["Resources"][logical_id], "Code"):
        return asset
    serverless = template.data["Resources"][logical_id].get("Type") == SERVERLESS_FUNCTION
    if (
        serverless
        and properties.get("InlineCode") is not None
        and "CodeUri" not in properties_of(template.data["Resources"][logical_id])
    ):
        return None
    name = "CodeUri" if serverless else "Code"
    return local_path(template, logical_id, name, properties.get(name, "." if serverless else {}), literals)


def local_path(
    template: Template, logical_id: str, name: str, value: object, literals: Literals
) -> str | None:
    """A property's local path; None where it is an object in S3 (a mapping, s3:// or https://)."""
    read = literals.read_if_known(value)
    if isinstance(read, dict) and not is_call(read):
        return None
    path = _text(template, logical_id, name, literals.read(value, logical_id, name))
    return None if path is None or path.startswith(("s3://", "https://", "http://")) else path


def is_call(value: Mapping[str, Any]) -> bool:
    """Whether a mapping is an intrinsic function rather than a location."""
    return len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::"))


def asset_path(resource: Mapping[str, Any], name: str) -> str | None:
    """The path of a CDK asset that stands for this property, from the resource's Metadata."""
    metadata = resource.get("Metadata") or {}
    if metadata.get(ASSET_PROPERTY, "Code").partition(".")[0] != name:
        return None
    path = metadata.get(ASSET_PATH)
    return str(path) if path is not None else None


def _architecture(
    template: Template, logical_id: str, properties: Mapping[str, Any], literals: Literals, *, needed: bool
) -> str:
    declared = properties.get("Architectures")
    value = (
        literals.read(declared, logical_id, "Architectures") if needed else literals.read_if_known(declared)
    )
    first = value[0] if isinstance(value, list) and value else value
    if needed and first not in (None, "x86_64", "arm64"):
        raise InvalidTemplate(
            f"{logical_id} has the unknown architecture {first!r}", **template.place_of(logical_id)
        )
    return "arm64" if first == "arm64" else "x86_64"


def _text(template: Template, logical_id: str, name: str, value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise InvalidTemplate(
        f"{name} of {logical_id} must be text, not {value!r}", **template.place_of(logical_id)
    )


def _own_layers(template: Template, properties: Mapping[str, Any]) -> Iterator[str]:
    layers = properties.get("Layers")
    for layer in layers if isinstance(layers, list) else ():
        named = direct_reference(layer)
        if named and named[0] in template.data["Resources"]:
            yield named[0]
