"""Which functions are rolled out, and which are not: custom resources and Lambda@Edge.

CloudFormation waits for a custom resource's function in the middle of an update, and CloudFront pins
versions; neither can have a canary. May not know the translated template's other resources.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .intrinsics import references
from .template import properties_of

if TYPE_CHECKING:
    from collections.abc import Mapping


def custom_resource_functions(data: Mapping[str, Any]) -> frozenset[str]:
    """The logical ids that a ServiceToken names."""
    return frozenset(
        reference.logical_id
        for resource in data["Resources"].values()
        if isinstance(resource, dict) and "ServiceToken" in properties_of(resource)
        for reference in references(properties_of(resource)["ServiceToken"])
        if reference.logical_id in data["Resources"]
    )


def edge_functions(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The logical ids (of functions or versions) that a CloudFront distribution associates."""
    return tuple(
        reference.logical_id
        for resource in data["Resources"].values()
        if isinstance(resource, dict) and resource.get("Type") == "AWS::CloudFront::Distribution"
        for reference in references(properties_of(resource))
        if "LambdaFunctionAssociations" in reference.path and reference.logical_id in data["Resources"]
    )
