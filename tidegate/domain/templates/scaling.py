"""Automatic scaling of provisioned concurrency, as the template declares it for an alias.

It is read before the rivals of the alias are taken out: the versions are scaled in the alias's stead. What a
target names is found by the function or alias that its ResourceId mentions. May not read values; those are
the features'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .intrinsics import direct_reference, references
from .template import properties_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .aliases import RolledFunction

DIMENSION: Final = "lambda:function:ProvisionedConcurrency"
TARGET: Final = "AWS::ApplicationAutoScaling::ScalableTarget"
POLICY: Final = "AWS::ApplicationAutoScaling::ScalingPolicy"
POLICY_PROPERTIES: Final = (
    "PolicyName",
    "PolicyType",
    "StepScalingPolicyConfiguration",
    "TargetTrackingScalingPolicyConfiguration",
)


def find_scaling(
    resources: Mapping[str, Any], functions: Iterable[RolledFunction]
) -> dict[str, dict[str, Any]]:
    """By function: `minimum`, `maximum`, `policies` and `actions`, with the template's intrinsic calls."""
    owners = {key: f.logical_id for f in functions for key in (f.logical_id, f.alias_logical_id)}
    found: dict[str, dict[str, Any]] = {}
    for key, item in resources.items():
        properties = properties_of(item)
        if item.get("Type") != TARGET or properties.get("ScalableDimension") != DIMENSION:
            continue
        resource_id = properties.get("ResourceId")
        owner = next((owners[r.logical_id] for r in references(resource_id) if r.logical_id in owners), "")
        owner = owner or _owner_by_name(resource_id, functions)
        if owner:
            found[owner] = {
                "minimum": properties.get("MinCapacity"),
                "maximum": properties.get("MaxCapacity"),
                "policies": _policies(resources, key, resource_id),
                "actions": properties.get("ScheduledActions") or [],
            }
    return found


def _owner_by_name(resource_id: object, functions: Iterable[RolledFunction]) -> str:
    parts = resource_id.split(":") if isinstance(resource_id, str) else []
    return next((f.logical_id for f in functions if f.function_name in parts[1:2]), "")


def _policies(resources: Mapping[str, Any], target: str, resource_id: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for key, item in resources.items():
        properties = properties_of(item)
        named = direct_reference(properties.get("ScalingTargetId"))
        same = resource_id is not None and properties.get("ResourceId") == resource_id
        if item.get("Type") == POLICY and ((named and named[0] == target) or same):
            kept: dict[str, Any] = {
                name: properties[name] for name in POLICY_PROPERTIES if name in properties
            }
            found.append({"PolicyName": key, **kept})
    return found
