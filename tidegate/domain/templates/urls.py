"""Function URLs and asynchronous-invocation settings, which carry a qualifier of their own.

A URL's target and qualifier are create-only: one that a deployed stack has on the bare function stays there,
since its address would change; a new one stands on the alias.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-url.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .aliases import RolledFunction, function_of, literal_names
from .intrinsics import REF, direct_reference
from .notices import Notice, NoticeKind
from .template import properties_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

URL, INVOKE_CONFIG = "AWS::Lambda::Url", "AWS::Lambda::EventInvokeConfig"


def place_urls(
    resources: dict[str, Any], functions: tuple[RolledFunction, ...], deployed: Mapping[str, Any]
) -> Iterator[Notice]:
    """Put new URLs on the alias, keep deployed ones where they are, and say which go around the canary."""
    by_id = {function.logical_id: function for function in functions}
    by_alias = {function.alias_logical_id: function for function in functions}
    names = literal_names(resources)
    for logical_id, resource in resources.items():
        if resource.get("Type") != URL:
            continue
        properties = properties_of(resource)
        target = properties.get("TargetFunctionArn")
        aliased = direct_reference(target)
        function = by_id.get(function_of(target, resources, names) or "") or by_alias.get(
            aliased[0] if aliased else ""
        )
        if function is None:
            continue
        if _stands_bare(deployed.get(logical_id), function):
            resource["Properties"] = {key: item for key, item in properties.items() if key != "Qualifier"}
            resource["Properties"]["TargetFunctionArn"] = deployed[logical_id]["Properties"][
                "TargetFunctionArn"
            ]
            yield _around(logical_id, function)
        elif (
            "Qualifier" not in properties
            and function.logical_id in by_id
            and not (aliased and aliased[0] in by_alias)
        ):
            properties["TargetFunctionArn"] = {REF: function.alias_logical_id}


def _stands_bare(deployed: Any, function: RolledFunction) -> bool:  # noqa: ANN401
    if not deployed or "Qualifier" in properties_of(deployed):
        return False
    named = direct_reference(properties_of(deployed).get("TargetFunctionArn"))
    return named is not None and named[0] == function.logical_id


def _around(logical_id: str, function: RolledFunction) -> Notice:
    text = (
        f"{logical_id} is a function URL of {function.logical_id} itself: its requests go around the canary, "
        "and moving it to the alias would change its address"
    )
    return Notice(logical_id=logical_id, kind=NoticeKind.AROUND, text=text)


def qualify_invoke_configs(resources: dict[str, Any], functions: tuple[RolledFunction, ...]) -> None:
    """Move asynchronous-invocation settings of `$LATEST` to the alias, and let them wait for it."""
    by_id = {function.logical_id: function for function in functions}
    names = literal_names(resources)
    for resource in resources.values():
        if resource.get("Type") == INVOKE_CONFIG:
            properties = properties_of(resource)
            function = by_id.get(function_of(properties.get("FunctionName"), resources, names) or "")
            if function and properties.get("Qualifier") == "$LATEST":
                properties["Qualifier"] = function.alias_name
                resource["DependsOn"] = [function.alias_logical_id]
