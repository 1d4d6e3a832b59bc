"""Other writers of an alias, taken out of the template: CodeDeploy for Lambda, and scaling of concurrency.

What serves other platforms or services stays. A resource that needs what is taken out cannot be kept, so it
is refused by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidegate.domain.errors import UnsupportedTemplate

from .intrinsics import direct_reference, references
from .notices import Notice, NoticeKind
from .scaling import DIMENSION, POLICY, TARGET
from .template import logical_ids, properties_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_GROUP, _APPLICATION = "AWS::CodeDeploy::DeploymentGroup", "AWS::CodeDeploy::Application"
_CONFIG = "AWS::CodeDeploy::DeploymentConfig"


def drop_rivals(data: dict[str, Any]) -> tuple[Notice, ...]:
    """Take out rivals, roles that only CodeDeploy used, and outputs that name one of them; in place."""
    resources, outputs = data["Resources"], data.get("Outputs") or {}
    dropped = _codedeploy(resources) | _scaling(resources)
    if not dropped:
        return ()
    dropped |= _only_used_by(resources, outputs, dropped)
    for key in dropped:
        del resources[key]
    lost = [name for name, output in outputs.items() if _mentions(output, dropped)]
    for name in lost:
        del outputs[name]
    if "Outputs" in data and not outputs:
        del data["Outputs"]
    _check_left(resources, dropped)
    taken = [*sorted(dropped), *(f"Outputs.{name}" for name in lost)]
    return tuple(
        Notice(
            logical_id=name,
            kind=NoticeKind.REPLACED,
            text=f"{name} is taken out: Tidegate alone writes the alias",
        )
        for name in taken
    )


def _codedeploy(resources: Mapping[str, Any]) -> set[str]:
    """CodeDeploy's applications for Lambda, and the groups that belong to them."""
    return _family(
        resources, {_APPLICATION, _CONFIG}, ("ComputePlatform", "Lambda"), (_GROUP, "ApplicationName")
    )


def _scaling(resources: Mapping[str, Any]) -> set[str]:
    """Targets and policies that scale provisioned concurrency, which an alias with weights cannot have."""
    return _family(resources, {TARGET, POLICY}, ("ScalableDimension", DIMENSION), (POLICY, "ScalingTargetId"))


def _family(
    resources: Mapping[str, Any], heads: set[str], having: tuple[str, str], member: tuple[str, str]
) -> set[str]:
    """The resources of some types that have a property's value, and those of a type that name one of them."""
    found = {
        key
        for key, item in resources.items()
        if item.get("Type") in heads and properties_of(item).get(having[0]) == having[1]
    }
    for key, item in resources.items():
        owner = direct_reference(properties_of(item).get(member[1]))
        if item.get("Type") == member[0] and owner and owner[0] in found:
            found.add(key)
    return found


def _only_used_by(resources: Mapping[str, Any], outputs: Mapping[str, Any], dropped: set[str]) -> set[str]:
    """The roles that CodeDeploy assumes and nothing else names."""
    candidates = {key for item in dropped for key in _mentioned(resources[item])}
    roles = {key for key in candidates if resources.get(key, {}).get("Type") == "AWS::IAM::Role"}
    roles = {
        key
        for key in roles
        if "codedeploy" in str(properties_of(resources[key]).get("AssumeRolePolicyDocument"))
    }
    kept = [item for key, item in resources.items() if key not in dropped] + list(outputs.values())
    needed = {name for item in kept for name in _mentioned(item)}
    return roles - needed


def _mentioned(value: Any) -> set[str]:  # noqa: ANN401
    waits = logical_ids(value.get("DependsOn")) if isinstance(value, dict) else ()
    return {item.logical_id for item in references(value)} | set(waits)


def _mentions(value: object, names: set[str]) -> bool:
    return any(item.logical_id in names for item in references(value))


def _check_left(resources: Mapping[str, Any], dropped: set[str]) -> None:
    for key, item in resources.items():
        item.pop("UpdatePolicy", None) if item.get("Type") == "AWS::Lambda::Alias" else None
        if waits := logical_ids(item.get("DependsOn")):
            item["DependsOn"] = [name for name in waits if name not in dropped]
        if found := sorted(name for name in _mentioned(item) if name in dropped):
            raise UnsupportedTemplate(f"{key} needs {found[0]}, which Tidegate replaces")
