"""What `sam package` uploads besides function code: definitions, layers, schemas, scripts.

One table says where such properties stand and which shape an S3 location has there. May not read files.
https://docs.aws.amazon.com/cli/latest/reference/cloudformation/package.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tidegate.domain.identity import Frozen

from .functions import asset_path, local_path
from .literals import Literals
from .template import Template, properties_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .intrinsics import Path

Shape = Literal["uri", "bucket", "s3bucket", "s3bucket_object_version", "code_commit"]
Kind = Literal["zip", "file"]


class PackageKey(Frozen):
    """Where a file is named: the resource and the property, parts joined by dots."""

    logical_id: str
    property_path: str


class PackageSource(Frozen):
    """A local file or folder that a resource needs in S3.

    path: relative to the template. kind: `zip` (a folder or file to be zipped, unless it is a zip already) or
    `file` (uploaded as it stands). build_method: Metadata BuildMethod, for layers that have to be built.
    """

    key: PackageKey
    resource_type: str
    path: str
    kind: Kind
    build_method: str | None = None
    line: int = 0


class Packaged(NamedTuple):
    """A line of the table: a property (`*` is any key), what is uploaded, how its location is written."""

    path: Path
    kind: Kind
    shape: Shape


def _line(path: str, kind: Kind, shape: Shape) -> Packaged:
    return Packaged(tuple(path.split(".")), kind, shape)


_DEFINITION = (_line("DefinitionUri", "file", "bucket"),)
_BODY = (_line("BodyS3Location", "file", "bucket"),)
_RESOLVER = (
    _line("RequestMappingTemplateS3Location", "file", "uri"),
    _line("ResponseMappingTemplateS3Location", "file", "uri"),
    _line("CodeS3Location", "file", "uri"),
)
PACKAGED: Mapping[str, tuple[Packaged, ...]] = {
    "AWS::Serverless::Api": _DEFINITION,
    "AWS::Serverless::HttpApi": _DEFINITION,
    "AWS::Serverless::WebSocketApi": _DEFINITION,
    "AWS::Serverless::StateMachine": _DEFINITION,
    "AWS::Serverless::LayerVersion": (_line("ContentUri", "zip", "bucket"),),
    "AWS::Serverless::GraphQLApi": (
        _line("SchemaUri", "file", "uri"),
        _line("Functions.*.CodeUri", "file", "uri"),
        _line("Resolvers.*.*.CodeUri", "file", "uri"),
    ),
    "AWS::Lambda::LayerVersion": (_line("Content", "zip", "s3bucket_object_version"),),
    "AWS::StepFunctions::StateMachine": (_line("DefinitionS3Location", "file", "bucket"),),
    "AWS::ApiGateway::RestApi": _BODY,
    "AWS::ApiGatewayV2::Api": _BODY,
    "AWS::AppSync::GraphQLSchema": (_line("DefinitionS3Location", "file", "uri"),),
    "AWS::AppSync::Resolver": _RESOLVER,
    "AWS::AppSync::FunctionConfiguration": _RESOLVER,
    "AWS::Glue::Job": (_line("Command.ScriptLocation", "file", "uri"),),
    "AWS::ElasticBeanstalk::ApplicationVersion": (_line("SourceBundle", "file", "s3bucket"),),
    "AWS::CloudFormation::ModuleVersion": (_line("ModulePackage", "zip", "uri"),),
    "AWS::CloudFormation::ResourceVersion": (_line("SchemaHandlerPackage", "zip", "uri"),),
    "AWS::CodeCommit::Repository": (_line("Code.S3", "zip", "code_commit"),),
}


def read_packages(
    template: Template, parameters: Mapping[str, str] | None = None
) -> tuple[PackageSource, ...]:
    """The local files that resources other than functions name, in the template's order.

    Raises UnsupportedTemplate where a path depends on what only the deployment knows.
    """
    literals = Literals(template, parameters or {})
    return tuple(
        source
        for logical_id, resource in template.of_type(*PACKAGED)
        for line in PACKAGED[resource["Type"]]
        for source in _read_line(template, logical_id, line, literals)
    )


def _read_line(
    template: Template, logical_id: str, line: Packaged, literals: Literals
) -> Iterator[PackageSource]:
    resource = template.data["Resources"][logical_id]
    asset = (
        asset_path(resource, line.path[0])
        if "aws:asset:property" in (resource.get("Metadata") or {})
        else None
    )
    for path, value in find(properties_of(resource), line.path):
        name = ".".join(path)
        local = asset or local_path(template, logical_id, name, value, literals)
        if local is not None:
            yield PackageSource(
                key=PackageKey(logical_id=logical_id, property_path=name),
                resource_type=resource["Type"],
                path=local,
                kind=line.kind,
                build_method=(resource.get("Metadata") or {}).get("BuildMethod"),
                line=template.lines.get(logical_id, 0),
            )


def find(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:  # noqa: ANN401
    """The values at a path of keys, list indexes and `*`; each with the path that was taken."""
    if not path:
        yield (), value
        return
    for key, item in _items(value):
        if path[0] in {"*", key}:
            for rest, found in find(item, path[1:]):
                yield (key, *rest), found


def _items(value: object) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from ((str(index), item) for index, item in enumerate(value))
