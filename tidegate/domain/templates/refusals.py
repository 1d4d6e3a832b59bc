"""What Tidegate does not release, refused by name before anything is built.

A refusal is an UnsupportedTemplate with the resource and its line, so that nobody finds out in production.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidegate.domain.artifacts import Method
from tidegate.domain.errands import choose_errand
from tidegate.domain.errors import UnsupportedTemplate

from .functions import ASSET_PATH, read_functions
from .intrinsics import call
from .rolled import edge_functions
from .template import SAM_TRANSFORM, Template, properties_of
from .tree import APPLICATION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .functions import FunctionSource

_REFUSED_TYPES: Mapping[str, str] = {
    "AWS::Serverless::WebFunction": "web functions, which have revisions instead of versions and aliases",
    "AWS::Lambda::WebFunction": "web functions, which have revisions instead of versions and aliases",
    "AWS::Serverless::MicroVMImage": "MicroVM images",
}
_BOOTSTRAP_BUCKET = "cdk-hnb659fds-assets-"


def refuse_unsupported(
    template: Template,
    parameters: Mapping[str, str] | None = None,
    *,
    asset_manifest: bool = False,
    errands: bool = False,
) -> None:
    """Return if the template can be released; raise UnsupportedTemplate, with the line, if it cannot.

    asset_manifest: whether the CDK's asset manifest came with the template.
    errands: whether CodeBuild builds what Tidegate does not.
    """
    _refuse_macros(template)
    _refuse_types(template)
    if not asset_manifest:
        _refuse_assets(template)
    for logical_id in edge_functions(template.data):
        raise _refusal(template, logical_id, f"{logical_id} is a Lambda@Edge function of CloudFront")
    _refuse_packaging(template, parameters or {}, errands=errands)


def _refuse_macros(template: Template) -> None:
    for name in template.transforms:
        if name != SAM_TRANSFORM:
            raise UnsupportedTemplate(f"the transform {name} is not supported", file=template.file)
    for section, value in template.data.items():
        if section != "Resources":
            _refuse_calls(template, "", section, value)
    for logical_id, resource in template.data["Resources"].items():
        _refuse_calls(template, logical_id, logical_id, {logical_id: resource})


def _refuse_calls(template: Template, logical_id: str, where: str, value: object) -> None:
    for name, argument in _macro_calls(value):
        label = f"Fn::Transform ({argument.get('Name')})" if isinstance(argument, dict) and argument else name
        hint = "; only files of the source are included" if "AWS::Include" in label else ""
        raise _refusal(template, logical_id, f"{label} in {where} is not supported{hint}")


def _macro_calls(value: object) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "Fn::Transform" or key.startswith("Fn::ForEach"):
                yield ("Fn::ForEach", None) if key != "Fn::Transform" else (key, item)
            yield from _macro_calls(item)
    elif isinstance(value, list):
        for item in value:
            yield from _macro_calls(item)


def _refuse_types(template: Template) -> None:
    for logical_id, resource in template.resources.items():
        if reason := _REFUSED_TYPES.get(resource["Type"]):
            raise _refusal(
                template, logical_id, f"{logical_id} is a {resource['Type']}: {reason} are not supported"
            )
        if resource["Type"] == APPLICATION and not isinstance(properties_of(resource).get("Location"), str):
            message = f"{logical_id} is an application of the AWS Serverless Application Repository"
            raise _refusal(template, logical_id, f"{message}; only local templates are nested")


def _refuse_assets(template: Template) -> None:
    for logical_id, resource in template.resources.items():
        if ASSET_PATH in (resource.get("Metadata") or {}) or _names_bootstrap_bucket(properties_of(resource)):
            raise _refusal(
                template,
                logical_id,
                f"{logical_id} has a CDK asset; a CDK template needs its asset manifest beside it",
            )


def _names_bootstrap_bucket(properties: Mapping[str, Any]) -> bool:
    code = properties.get("Code") or properties.get("Content")
    bucket = code.get("S3Bucket") if isinstance(code, dict) else None
    name, argument = call(bucket)
    text = argument if name in {"Fn::Sub", "Ref"} else bucket
    return isinstance(text, str) and text.startswith((_BOOTSTRAP_BUCKET, "AssetParameters"))


def _refuse_packaging(template: Template, parameters: Mapping[str, str], *, errands: bool) -> None:
    for source in read_functions(template, parameters):
        built = source.code_uri is not None and not source.skip_build
        if built and find_errand(template, source, allowed=errands):
            continue
        if built and not (source.runtime or "").startswith(("python", "nodejs")):
            raise _refusal(
                template, source.logical_id, f"{source.logical_id} runs on {source.runtime}; {_ONLY}"
            )


def find_errand(template: Template, source: FunctionSource, *, allowed: bool = True) -> Method | None:
    """How CodeBuild builds a function; None for one that Tidegate builds, or takes as it stands.

    UnsupportedTemplate where nobody builds it, with its place.
    """
    metadata = template.resources[source.logical_id].get("Metadata") or {}
    if (source.code_uri or "").endswith((".zip", ".jar")) or ASSET_PATH in metadata:
        return None
    try:
        found = choose_errand(source.logical_id, source.build_method, source.runtime or "")
    except UnsupportedTemplate as error:
        raise _refusal(template, source.logical_id, str(error)) from None
    unread = sorted({"ContextPath", "WorkingDirectory"} & set(metadata))
    if found is Method.MAKEFILE and unread:
        message = f"{source.logical_id} has Metadata.{unread[0]}; its Makefile runs in its CodeUri alone"
        raise _refusal(template, source.logical_id, message)
    if found and not allowed:
        what = f"{source.logical_id} is built by {source.build_method or source.runtime}"
        message = f"{what}, and this pipeline builds nothing at CodeBuild; {_ONLY}"
        raise _refusal(template, source.logical_id, message)
    return found


_ONLY = "only Python and Node functions are built so far, and container images"


def _refusal(template: Template, logical_id: str, message: str) -> UnsupportedTemplate:
    return UnsupportedTemplate(message, **template.place_of(logical_id))
