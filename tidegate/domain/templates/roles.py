"""The policies of a template's roles: which documents each has, its own and those that are attached to it.

Reads one side of an update; may not compare sides, nor know what the account has.
https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-vs-inline.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic import Field

from tidegate.domain.identity import Frozen
from tidegate.domain.nesting import qualify, split

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


class Side(NamedTuple):
    """One side of one stack of the tree: its template, and what is known of the values."""

    template: Mapping[str, Any]
    values: Values


def read_roles(sides: Mapping[str, Side]) -> dict[str, RolePolicies]:
    """The roles of a tree of templates, by name. A policy whose condition is not known is left out.

    sides: by the path of each stack; a policy of one may be on a role of another.
    """
    resources = {
        qualify(path, key): (item.get("Type"), side.values.resolve(properties_of(item)))
        for path, side in sides.items()
        for key, item in side.template["Resources"].items()
        if item.get("Type") in {ROLE, MANAGED_POLICY, *INLINE_POLICIES} and side.values.is_active(key)
    }
    names = {_refer(sides, key): key for key, (kind, _) in resources.items() if kind == ROLE}
    managed = {
        _refer(sides, key): properties
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


def _refer(sides: Mapping[str, Side], name: str) -> str:
    path, logical_id = split(name)
    return str(sides[path].values.resolve({"Ref": logical_id}))


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


def roles_of_functions(sides: Mapping[str, Side], functions: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The functions of each role of the tree, by the role's name; it may be the role of another stack."""
    names = {
        str(side.values.resolve({"Ref": key})): qualify(path, key)
        for path, side in sides.items()
        for key, item in side.template["Resources"].items()
        if item.get("Type") == ROLE
    }
    found: dict[str, tuple[str, ...]] = {}
    for function in functions:
        path, logical_id = split(function)
        side = sides.get(path)
        resource = (side.template["Resources"].get(logical_id) if side else None) or {}
        if side and resource.get("Type") == LAMBDA_FUNCTION:
            role = str(side.values.resolve(properties_of(resource).get("Role"))).rpartition("/")[2]
            if role in names:
                found[names[role]] = (*found.get(names[role], ()), function)
    return found
