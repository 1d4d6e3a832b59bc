"""Which functions are rolled out, and which are not: custom resources and Lambda@Edge.

CloudFormation waits for a custom resource's function in the middle of an update, and CloudFront pins
versions; neither can have a canary. May not know the translated template's other resources.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .intrinsics import Reference, references
from .template import properties_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


def custom_resource_functions(data: Mapping[str, Any]) -> frozenset[str]:
    """The logical ids that a ServiceToken or a macro names: CloudFormation itself invokes them."""
    tokens = (
        properties.get("FunctionName" if kind == "AWS::CloudFormation::Macro" else "ServiceToken")
        for kind, properties in _resources(data)
    )
    return frozenset(name for token in tokens for name in _owners(references(token), data))


def edge_functions(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The logical ids (of functions or versions) that a CloudFront distribution associates."""
    found = (
        item
        for kind, properties in _resources(data)
        if kind == "AWS::CloudFront::Distribution"
        for item in references(properties)
        if "LambdaFunctionAssociations" in item.path
    )
    return tuple(_owners(found, data))


def _resources(data: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    items = (item for item in data["Resources"].values() if isinstance(item, dict))
    return ((str(item.get("Type")), properties_of(item)) for item in items)


def _owners(found: Iterable[Reference], data: Mapping[str, Any]) -> Iterator[str]:
    """The resources of the template among what is named; SAM writes a function's version as `F.Version`."""
    names = (item.logical_id.partition(".")[0] for item in found)
    return (name for name in names if name in data["Resources"])
