"""Permissions on a bare function, doubled onto its alias; they are never moved.

A policy on the alias does not cover the function, nor the reverse, and an IAM statement on the ARN does not
match a qualified one. https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .aliases import RolledFunction, function_of, literal_names
from .intrinsics import GET_ATT, JOIN, REF, SUB, VARIABLE, call, direct_reference
from .template import logical_ids, properties_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PERMISSION = "AWS::Lambda::Permission"
SUFFIX = "TidegateAlias"
_POLICY_TYPES = frozenset(
    {"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy", "AWS::IAM::UserPolicy"}
)
_IDENTITIES = frozenset({"AWS::IAM::Role", "AWS::IAM::User", "AWS::IAM::Group"})


def double_permissions(
    resources: dict[str, Any], functions: tuple[RolledFunction, ...], deployed: Mapping[str, Any]
) -> None:
    """Give every permission on a bare rolled function a twin on the alias; what waits for one waits for both.

    A permission that the deployed stack has on the bare function, and that the translation moved to the
    alias, is put back and gets the twin.
    """
    by_id = {function.logical_id: function for function in functions}
    by_alias = {function.alias_logical_id: function for function in functions}
    names = literal_names(resources)
    twins: dict[str, str] = {}
    for logical_id in [key for key, item in resources.items() if item.get("Type") == PERMISSION]:
        permission = resources[logical_id]
        target = properties_of(permission).get("FunctionName")
        moved = by_alias.get(target.get(REF, "")) if isinstance(target, dict) else None
        if moved and _is_bare(deployed.get(logical_id), moved):
            permission = _on(permission, {REF: moved.logical_id})
            resources[logical_id] = permission
            target = {REF: moved.logical_id}
        function = by_id.get(function_of(target, resources, names) or "")
        if function and not logical_id.endswith(SUFFIX):
            twins[logical_id] = f"{logical_id}{SUFFIX}"
            resources[twins[logical_id]] = _on(permission, {REF: function.alias_logical_id})
    _wait_for_twins(resources, twins)


def _is_bare(deployed: Any, function: RolledFunction) -> bool:  # noqa: ANN401
    if not deployed:
        return False
    named = direct_reference(properties_of(deployed).get("FunctionName"))
    return named is not None and named[0] == function.logical_id


def _on(permission: Mapping[str, Any], target: dict[str, Any]) -> dict[str, Any]:
    return {**permission, "Properties": {**properties_of(permission), "FunctionName": target}}


def _wait_for_twins(resources: dict[str, Any], twins: Mapping[str, str]) -> None:
    for resource in resources.values():
        waits = logical_ids(resource.get("DependsOn"))
        added = [twins[name] for name in waits if name in twins and twins[name] not in waits]
        if added:
            resource["DependsOn"] = [*waits, *added]


def double_statements(resources: dict[str, Any], functions: tuple[RolledFunction, ...]) -> None:
    """Let every IAM statement about invoking a rolled function cover its qualified ARNs too."""
    rolled = frozenset(function.logical_id for function in functions)
    for resource in resources.values():
        for document in _documents(resource):
            for statement in _listed(document.get("Statement")):
                if isinstance(statement, dict) and _invokes(statement):
                    _double_statement(statement, rolled)


def _documents(resource: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    properties = properties_of(resource)
    found: list[Any] = []
    if resource.get("Type") in _POLICY_TYPES:
        found = [properties.get("PolicyDocument")]
    elif resource.get("Type") in _IDENTITIES:
        policies = _listed(properties.get("Policies"))
        found = [policy.get("PolicyDocument") for policy in policies if isinstance(policy, dict)]
    return (document for document in found if isinstance(document, dict))


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _invokes(statement: Mapping[str, Any]) -> bool:
    actions = (str(action).lower() for action in _listed(statement.get("Action")))
    return any(action in {"*", "lambda:*"} or action.startswith("lambda:invoke") for action in actions)


def _double_statement(statement: dict[str, Any], rolled: frozenset[str]) -> None:
    for key in ("Resource", "NotResource"):
        present = _listed(statement.get(key))
        added = [
            twin for item in present if (twin := qualified_arn(item, rolled)) != item and twin not in present
        ]
        if added:
            statement[key] = [*present, *added]


def qualified_arn(value: Any, rolled: frozenset[str]) -> Any:  # noqa: ANN401
    """An ARN of a rolled function with `:*` behind it; any other value as it is."""
    name, argument = call(value)
    found = direct_reference(value)
    if name == GET_ATT and found and found[0] in rolled and found[1] == "Arn":
        return {SUB: "${" + found[0] + ".Arn}:*"}
    if name == SUB and isinstance(argument, str) and (last := list(VARIABLE.finditer(argument))):
        named = last[-1][1].removesuffix(".Arn")
        return {SUB: argument + ":*"} if argument.endswith(last[-1][0]) and named in rolled else value
    if name == JOIN and isinstance(argument, list) and isinstance(argument[-1], list) and argument[-1]:
        return _qualified_join(value, argument, rolled)
    if name == "Fn::If" and isinstance(argument, list):
        return {name: [argument[0], *(qualified_arn(item, rolled) for item in argument[1:])]}
    return value


def _qualified_join(value: Any, argument: Any, rolled: frozenset[str]) -> Any:  # noqa: ANN401
    last = direct_reference(argument[1][-1])
    if last is None or last[0] not in rolled:
        return value
    tail = "*" if argument[0] == ":" else ":*"
    return {JOIN: [argument[0], [*argument[1], tail]]}
