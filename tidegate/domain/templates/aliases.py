"""Frozen aliases: each rolled function gets one anchor version and one alias that points at it for ever.

CloudFormation creates both once and never writes them again, so no update or rollback of the stack moves
traffic. May not touch triggers or permissions; those are repointed by other modules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tidegate.domain.errors import UnsupportedTemplate
from tidegate.domain.identity import Frozen
from tidegate.domain.nesting import qualify

from .intrinsics import GET_ATT, JOIN, REF, SUB, call, copy, direct_reference
from .notices import Notice, NoticeKind
from .preparation import ALIAS_NAME, DeploymentPreference, Prepared
from .rolled import custom_resource_functions, edge_functions
from .template import LAMBDA_FUNCTION, properties_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ALIAS, VERSION = "AWS::Lambda::Alias", "AWS::Lambda::Version"
# Kept for ever, but not by an update that fails: Lambda would have no second version of the same code for the
# next attempt, and CloudFormation refuses a version that exists.
_RETAIN = {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}


class RolledFunction(Frozen):
    """A function whose traffic Tidegate moves.

    alias_name: text, or the intrinsic call that the template has. function_name: the FunctionName property,
    or `{"Ref": logical_id}` where CloudFormation chooses the name. layers: logical ids in the same template.
    """

    logical_id: str
    alias_logical_id: str
    alias_name: str | dict[str, Any]
    anchor_logical_id: str
    function_name: str | dict[str, Any]
    layers: tuple[str, ...] = ()
    preference: DeploymentPreference | None = None
    provisioned_concurrency: Any = None
    scaling: dict[str, Any] | None = None

    def within(self, path: str) -> RolledFunction:
        """The same function as the tree names it, whose stack is at that path."""
        if not path:
            return self
        return self.model_copy(
            update={
                "logical_id": qualify(path, self.logical_id),
                "alias_logical_id": qualify(path, self.alias_logical_id),
                "anchor_logical_id": qualify(path, self.anchor_logical_id),
                "layers": tuple(qualify(path, layer) for layer in self.layers),
                "preference": self.preference.within(path) if self.preference else None,
            }
        )


class Freezing(NamedTuple):
    """What freezing found: the functions, the versions that became anchors, and what to tell."""

    functions: tuple[RolledFunction, ...]
    renamed: Mapping[str, str]
    notices: tuple[Notice, ...]


class _Declared(NamedTuple):
    """The aliases and versions that the template itself has, by function."""

    aliases: Mapping[str, list[str]]
    versions: Mapping[str, list[str]]


def freeze(resources: dict[str, Any], prepared: Prepared, deployed: Mapping[str, Any]) -> Freezing:
    """Put an anchor and a frozen alias into `resources` (in place) for every function that is rolled out.

    deployed: the resources of the stack as it is; an alias that stands there keeps its version resource.
    Raises UnsupportedTemplate for a function with two aliases.
    """
    declared = _read_declared(resources)
    unrolled = custom_resource_functions({"Resources": resources}) | _edge(resources)
    functions: list[RolledFunction] = []
    renamed: dict[str, str] = {}
    notices: list[Notice] = []
    for logical_id in [key for key, item in resources.items() if item.get("Type") == LAMBDA_FUNCTION]:
        aliases = declared.aliases.get(logical_id, [])
        if logical_id in unrolled and not aliases:
            notices.append(_not_rolled(logical_id))
            continue
        if len(aliases) > 1:
            raise UnsupportedTemplate(
                f"{logical_id} has {len(aliases)} aliases ({', '.join(aliases)}); one is supported"
            )
        function = _describe(resources, logical_id, declared, prepared)
        old = resources.get(function.alias_logical_id)
        notices += _taken_out(function, old or {}, prepared)
        function = _freeze_one(resources, function, old, declared, deployed)
        renamed |= dict.fromkeys(declared.versions.get(logical_id, []), function.anchor_logical_id)
        functions.append(function)
    return Freezing(
        tuple(functions), {old: new for old, new in renamed.items() if old != new}, tuple(notices)
    )


def _edge(resources: Mapping[str, Any]) -> frozenset[str]:
    found = edge_functions({"Resources": resources})
    owners = (direct_reference(properties_of(resources[item]).get("FunctionName")) for item in found)
    return frozenset(found) | {owner[0] for owner in owners if owner}


def _read_declared(resources: Mapping[str, Any]) -> _Declared:
    names = literal_names(resources)
    aliases: dict[str, list[str]] = {}
    versions: dict[str, list[str]] = {}
    for key, item in resources.items():
        if item.get("Type") in {ALIAS, VERSION}:
            owner = function_of(properties_of(item).get("FunctionName"), resources, names)
            if owner:
                (aliases if item["Type"] == ALIAS else versions).setdefault(owner, []).append(key)
    return _Declared(aliases, versions)


def literal_names(resources: Mapping[str, Any]) -> dict[str, str]:
    """The functions whose FunctionName is plain text: logical id by name."""
    named = ((key, properties_of(item).get("FunctionName")) for key, item in _functions(resources))
    return {name: key for key, name in named if isinstance(name, str)}


def _functions(resources: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((key, item) for key, item in resources.items() if item.get("Type") == LAMBDA_FUNCTION)


def function_of(value: object, resources: Mapping[str, Any], names: Mapping[str, str]) -> str | None:
    """The logical id of the function of this template that a FunctionName property names, unqualified.

    Knows Ref, GetAtt Arn, the literal name, and ARNs made by Sub or Join that end in the function.
    """
    if isinstance(value, str):
        return names.get(value.rpartition(":function:")[2])
    name, argument = call(value)
    found = direct_reference(value)
    if name == JOIN and isinstance(argument, list) and isinstance(argument[-1], list) and argument[-1]:
        return function_of(argument[-1][-1], resources, names)
    if name == SUB and isinstance(argument, str) and not found:
        head, _, last = argument.rpartition(":function:")
        found = direct_reference({SUB: last}) if head else None
    if found and found[1] in {"", "Arn"} and resources.get(found[0], {}).get("Type") == LAMBDA_FUNCTION:
        return found[0]
    return None


def _describe(
    resources: Mapping[str, Any], logical_id: str, declared: _Declared, prepared: Prepared
) -> RolledFunction:
    aliases = declared.aliases.get(logical_id, [])
    published = [*aliases, *declared.versions.get(logical_id, [])]
    alias = aliases[0] if aliases else f"{logical_id}TidegateAlias"
    name = properties_of(resources[alias]).get("Name", ALIAS_NAME) if aliases else ALIAS_NAME
    properties = properties_of(resources[logical_id])
    layers = properties.get("Layers")
    named = (direct_reference(layer) for layer in layers) if isinstance(layers, list) else iter(())
    return RolledFunction(
        logical_id=logical_id,
        alias_logical_id=alias,
        alias_name=name,
        anchor_logical_id=f"{logical_id}TidegateAnchor",
        function_name=properties.get("FunctionName") or {REF: logical_id},
        layers=tuple(found[0] for found in named if found and found[0] in resources),
        preference=prepared.preferences.get(logical_id),
        provisioned_concurrency=prepared.provisioned.get(logical_id) or _provisioned(resources, published),
    )


def _provisioned(resources: Mapping[str, Any], published: list[str]) -> Any:  # noqa: ANN401
    found = (properties_of(resources[key]).get("ProvisionedConcurrencyConfig") for key in published)
    return next((item for item in found if item), None)


def _freeze_one(
    resources: dict[str, Any],
    function: RolledFunction,
    old: Mapping[str, Any] | None,
    declared: _Declared,
    deployed: Mapping[str, Any],
) -> RolledFunction:
    adopted = _deployed_anchor(deployed, function.alias_logical_id)
    if adopted:
        function = function.model_copy(update={"anchor_logical_id": adopted})
    for version in declared.versions.get(function.logical_id, []):
        if version != function.anchor_logical_id:
            del resources[version]
    declared_by = resources[function.logical_id]
    condition = {"Condition": declared_by["Condition"]} if "Condition" in declared_by else {}
    resources[function.anchor_logical_id] = (
        copy(deployed[adopted]) if adopted else _anchor(function, condition)
    )
    resources[function.alias_logical_id] = _frozen_alias(function, old, condition)
    return function


def _anchor(function: RolledFunction, condition: Mapping[str, Any]) -> dict[str, Any]:
    properties = {"FunctionName": {REF: function.logical_id}}
    return {"Type": VERSION, **_RETAIN, **condition, "Properties": properties}


def _frozen_alias(
    function: RolledFunction, old: Mapping[str, Any] | None, condition: Mapping[str, Any]
) -> dict[str, Any]:
    kept = {
        key: value
        for key, value in (old or condition).items()
        if key in {"Condition", "DependsOn", "Metadata"}
    }
    policies = {
        key: value for key, value in (old or {}).items() if key.endswith("Policy") and key != "UpdatePolicy"
    }
    described = {key: value for key, value in properties_of(old or {}).items() if key == "Description"}
    return {
        "Type": ALIAS,
        **policies,
        **kept,
        "Properties": {
            "Name": function.alias_name,
            "FunctionName": properties_of(old or {}).get("FunctionName", {REF: function.logical_id}),
            "FunctionVersion": {GET_ATT: [function.anchor_logical_id, "Version"]},
            **described,
        },
    }


def _deployed_anchor(deployed: Mapping[str, Any], alias: str) -> str | None:
    """The version resource that the alias of the deployed stack points at; it stays the anchor, verbatim."""
    version = properties_of(deployed.get(alias) or {}).get("FunctionVersion")
    found = direct_reference(version)
    if found and found[1] == "Version" and (deployed.get(found[0]) or {}).get("Type") == VERSION:
        return found[0]
    return None


def _not_rolled(logical_id: str) -> Notice:
    text = f"{logical_id} serves CloudFormation or CloudFront and is not rolled out: it changes at once"
    return Notice(logical_id=logical_id, kind=NoticeKind.AT_ONCE, text=text)


def _taken_out(function: RolledFunction, alias: Mapping[str, Any], prepared: Prepared) -> Iterator[Notice]:
    key, properties = function.logical_id, properties_of(alias)
    if function.provisioned_concurrency:
        yield _replaced(key, f"provisioned concurrency of {key} belongs to its versions, not to its alias")
    if properties.get("RoutingConfig"):
        yield _replaced(key, f"the routing weights of {function.alias_logical_id} are Tidegate's now")
    if "UpdatePolicy" in alias:
        yield _replaced(
            key, f"CodeDeploy's update policy of {function.alias_logical_id} is replaced by Tidegate"
        )
    version = properties.get("FunctionVersion")
    if isinstance(version, str):
        yield _replaced(
            key, f"{function.alias_logical_id} pointed at version {version}; Tidegate moves it now"
        )
    preference = prepared.preferences.get(key)
    for moment, hook in sorted((preference.hooks if preference else {}).items()):
        named = direct_reference(hook)
        yield _replaced(
            key, f"the CodeDeploy hook {moment} ({named[0] if named else hook}) is replaced by SmokeTest"
        )


def _replaced(logical_id: str, text: str) -> Notice:
    return Notice(logical_id=logical_id, kind=NoticeKind.REPLACED, text=text)
