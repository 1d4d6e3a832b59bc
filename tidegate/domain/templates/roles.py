"""The policies of a template's roles: which documents each has, its own and those that are attached to it.

Reads one side of an update; may not compare sides, nor know what the account has.
https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-vs-inline.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from tidegate.domain.identity import Frozen

from .template import LAMBDA_FUNCTION, properties_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .values import Values

ROLE: Final = "AWS::IAM::Role"
MANAGED_POLICY: Final = "AWS::IAM::ManagedPolicy"
INLINE_POLICIES: Final = frozenset({"AWS::IAM::Policy", "AWS::IAM::RolePolicy"})


class RolePolicies(Frozen):
    """One role as a template has it, its values resolved.

    inline: documents by policy name. managed: those of managed policies that the template defines, by ARN.
    attached: the ARNs of others. limits: trust and permissions boundary, as canonical text.
    """

    inline: dict[str, Any] = Field(default_factory=dict)
    managed: dict[str, Any] = Field(default_factory=dict)
    attached: tuple[str, ...] = ()
    limits: str = ""

    @property
    def documents(self) -> list[Any]:
        """All documents that the template has of the role."""
        return [*self.inline.values(), *self.managed.values()]


def read_roles(template: Mapping[str, Any], values: Values) -> dict[str, RolePolicies]:
    """The roles of a template, by logical id. A policy whose condition is not known is left out."""
    resources = {
        key: (item.get("Type"), values.resolve(properties_of(item)))
        for key, item in template["Resources"].items()
        if item.get("Type") in {ROLE, MANAGED_POLICY, *INLINE_POLICIES} and values.is_active(key)
    }
    names = {str(values.resolve({"Ref": key})): key for key, (kind, _) in resources.items() if kind == ROLE}
    managed = {
        str(values.resolve({"Ref": key})): properties
        for key, (kind, properties) in resources.items()
        if kind == MANAGED_POLICY
    }
    inline: dict[str, dict[str, Any]] = {key: {} for key in names.values()}
    given: dict[str, dict[str, Any]] = {key: {} for key in names.values()}
    for kind, properties in resources.values():
        for role in (names[name] for name in _holders(kind, properties) if name in names):
            inline[role][str(properties.get("PolicyName"))] = properties.get("PolicyDocument")
    for arn, properties in managed.items():
        for role in (names[name] for name in _listed(properties.get("Roles")) if name in names):
            given[role][arn] = properties.get("PolicyDocument")
    return {key: _read_role(resources[key][1], inline[key], given[key], managed) for key in names.values()}


def _holders(kind: object, properties: Mapping[str, Any]) -> Iterator[str]:
    if kind in INLINE_POLICIES:
        yield from _listed(properties.get("Roles"))
        yield from _listed(properties.get("RoleName"))


def _listed(value: object) -> list[str]:
    found = value if isinstance(value, list) else [] if value is None else [value]
    return [str(item) for item in found]


def _read_role(
    properties: Mapping[str, Any],
    inline: Mapping[str, Any],
    given: Mapping[str, Any],
    managed: Mapping[str, Any],
) -> RolePolicies:
    policies = properties.get("Policies")
    own = {
        str(policy.get("PolicyName")): policy.get("PolicyDocument")
        for policy in (policies if isinstance(policies, list) else [])
        if isinstance(policy, dict)
    }
    arns = _listed(properties.get("ManagedPolicyArns"))
    defined = {arn: managed[arn].get("PolicyDocument") for arn in arns if arn in managed}
    limits = [properties.get("AssumeRolePolicyDocument"), properties.get("PermissionsBoundary")]
    return RolePolicies(
        inline={**own, **inline},
        managed={**defined, **given},
        attached=tuple(arn for arn in arns if arn not in managed),
        limits=json.dumps(limits, sort_keys=True),
    )


def roles_of_functions(
    template: Mapping[str, Any], values: Values, functions: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """The functions of each role of the template, by the role's logical id."""
    resources = template["Resources"]
    names = {
        str(values.resolve({"Ref": key})): key for key, item in resources.items() if item.get("Type") == ROLE
    }
    found: dict[str, tuple[str, ...]] = {}
    for function in functions:
        resource = resources.get(function) or {}
        if resource.get("Type") == LAMBDA_FUNCTION:
            role = str(values.resolve(properties_of(resource).get("Role"))).rpartition("/")[2]
            if role in names:
                found[names[role]] = (*found.get(names[role], ()), function)
    return found
