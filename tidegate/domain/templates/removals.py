"""Resources that the new template drops, kept in it as they were until after the bake.

The stable version still uses them beside the canary, and a rollback finds them as they are. Not kept is what
brings requests, since the new version need not understand them, and what is only a part of something that
stays. May not ask AWS, nor decide when they go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tidegate.domain.errors import InvalidTemplate
from tidegate.domain.identity import Frozen

from .intrinsics import IF, REF, SUB, VARIABLE, call, copy, references, rewrite, sub_parts
from .limits import check_limits
from .template import logical_ids, properties_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .values import Values

TRIGGERS: Final = frozenset(
    {
        "AWS::Events::Rule",
        "AWS::IoT::TopicRule",
        "AWS::Lambda::EventSourceMapping",
        "AWS::Logs::SubscriptionFilter",
        "AWS::Pipes::Pipe",
        "AWS::SNS::Subscription",
        "AWS::Scheduler::Schedule",
    }
)
_PASSING: Final = (
    "AWS::ApplicationAutoScaling::",
    "AWS::CDK::",
    "AWS::CodeDeploy::",
    "AWS::Lambda::LayerVersion",
)
PERMISSION: Final = "AWS::Lambda::Permission"
# A part is kept with its whole only: by type, or by the beginning of it, the property that names the whole.
_WHOLES: Final = {
    "AWS::ApiGateway::": "RestApiId",
    "AWS::ApiGatewayV2::": "ApiId",
    "AWS::AppSync::": "ApiId",
    "AWS::Events::EventBusPolicy": "EventBusName",
    "AWS::IAM::ManagedPolicy": "Roles",
    "AWS::IAM::Policy": "Roles",
    "AWS::IAM::RolePolicy": "RoleName",
    "AWS::Lambda::Alias": "FunctionName",
    "AWS::Lambda::Version": "FunctionName",
    "AWS::S3::BucketPolicy": "Bucket",
    "AWS::SNS::TopicPolicy": "Topics",
    "AWS::SQS::QueuePolicy": "Queues",
    "AWS::SecretsManager::ResourcePolicy": "SecretId",
}
# Wholes among the types that the beginnings above match.
_OWN_WHOLES: Final = frozenset(
    {
        "AWS::ApiGateway::ApiKey",
        "AWS::ApiGateway::DomainName",
        "AWS::ApiGateway::RestApi",
        "AWS::ApiGateway::UsagePlan",
        "AWS::ApiGatewayV2::Api",
        "AWS::ApiGatewayV2::DomainName",
        "AWS::AppSync::GraphQLApi",
    }
)


class Removals(Frozen):
    """The template to apply until after the bake, None where nothing is kept.

    held: logical ids. parameters: those that only kept resources need, with the value that the stack has.
    at_once: what goes with the update although it would be kept, a sentence each.
    """

    template: dict[str, Any] | None = None
    held: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    at_once: tuple[str, ...] = ()


class _UnholdableError(Exception):
    """Why a resource cannot be kept; never leaves this module."""


class Sides:
    """Both templates, and what is known of their values.

    changed: the parameters whose value the update changes.
    """

    def __init__(
        self,
        deployed: Mapping[str, Any],
        new: Mapping[str, Any],
        values: tuple[Values, Values],
        changed: frozenset[str],
    ) -> None:
        self.deployed, self.new = deployed, new
        self.before, self.after = values
        self.changed = changed
        self.parameters: set[str] = set()
        self.mappings: set[str] = set()

    def stays(self, logical_id: str) -> bool:
        """Whether the new template has it, so far as that is known."""
        return self.after.is_active(logical_id) is not False

    def freeze(self, resource: Mapping[str, Any]) -> dict[str, Any]:
        """The resource as it was, whatever the new template makes of parameters, mappings and conditions."""
        plain = {key: item for key, item in resource.items() if key not in {"Condition", "DependsOn"}}
        frozen: dict[str, Any] = rewrite(copy(plain), self._freeze)
        return frozen

    def _freeze(self, value: Any) -> Any:  # noqa: ANN401
        name, argument = call(value)
        if name == IF:
            holds = self.before.holds(str(argument[0]))
            if holds is None:
                raise _UnholdableError(f"the condition {argument[0]} is not known")
            return rewrite(argument[1 if holds else 2], self._freeze)
        if name == REF:
            return self._parameter(value, str(argument))
        if name == SUB:
            return self._sub(value, argument)
        return self._mapping(value, argument) if name == "Fn::FindInMap" else value

    def _parameter(self, value: Any, name: str) -> Any:  # noqa: ANN401
        if name not in (self.deployed.get("Parameters") or {}):
            return value
        if name not in (self.new.get("Parameters") or {}):
            self.parameters.add(name)
            return value
        return self._literal(value, name) if name in self.changed else value

    def _literal(self, value: Any, name: str) -> Any:  # noqa: ANN401
        found = self.before.resolve(value)
        if not self.before.is_known(found):
            raise _UnholdableError(f"the value of {name} changes and is not readable")
        return found

    def _sub(self, value: Any, argument: Any) -> Any:  # noqa: ANN401
        text, own = sub_parts(argument)
        variables = {key: rewrite(item, self._freeze) for key, item in own.items()}
        for name in VARIABLE.findall(text):
            found = self._parameter({REF: name}, name) if name not in own else {REF: name}
            if found != {REF: name}:
                variables[name] = found
        return value if variables == own else {SUB: [text, variables]}

    def _mapping(self, value: Any, argument: Any) -> Any:  # noqa: ANN401
        name = argument[0]
        old, new = (side.get("Mappings") or {} for side in (self.deployed, self.new))
        if isinstance(name, str) and name in old and new.get(name, old[name]) == old[name]:
            if name not in new:
                self.mappings.add(name)
            inner = [rewrite(item, self._freeze) for item in argument]
            return value if inner == argument else {"Fn::FindInMap": inner}
        return self._literal(value, f"the mapping {name}")


def hold_removed(sides: Sides, standing: Iterable[str]) -> Removals:
    """Keep in the new template what it drops of the stack's resources; `standing` are their logical ids."""
    old = sides.deployed["Resources"]
    removed = {key: old[key] for key in old if key in set(standing) and not sides.stays(key)}
    wanted = _choose(removed)
    held, told = _freeze_all(sides, wanted)
    if not held:
        return Removals(at_once=tuple(told))
    template = _merge(sides, held)
    try:
        check_limits(template)
    except InvalidTemplate as error:
        reason = f"with what it drops the template would have {error}"
        return Removals(at_once=tuple(f"{key}: it is not kept, since {reason}" for key in wanted))
    return Removals(
        template=template,
        held=tuple(sorted(held)),
        parameters=tuple(sorted(sides.parameters)),
        at_once=tuple(told),
    )


def settle_parameters(removals: Removals, values: Mapping[str, str]) -> Removals:
    """The same for a nested stack: what only kept resources need has its value as its default.

    Nothing is kept where one of these values is not readable.
    """
    if hidden := next((name for name in removals.parameters if name not in values), ""):
        reason = f"the value of {hidden} is not readable"
        told = (f"{key}: it is not kept, since {reason}" for key in removals.held)
        return Removals(at_once=(*removals.at_once, *told))
    if removals.template is None:
        return removals
    template = copy(removals.template)
    for name in removals.parameters:
        template["Parameters"][name]["Default"] = values[name]
    return removals.model_copy(update={"template": template, "parameters": ()})


def _choose(removed: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """What is worth keeping: wholes, their parts, and what they name; but no triggers."""
    possible = {key: item for key, item in removed.items() if item.get("Type") not in TRIGGERS}
    chosen = {key for key, item in possible.items() if _is_whole(item)}
    while True:
        named = {found.logical_id for key in chosen for found in references(removed[key])}
        parts = {key for key, item in possible.items() if _wholes(item) & chosen}
        grown = chosen | parts | (named & possible.keys())
        grown |= {key for key, item in possible.items() if _serves(item, grown, removed)}
        if grown == chosen:
            return tuple(key for key in removed if key in chosen)
        chosen = grown


def _whole_property(kind: str) -> str:
    if kind in _OWN_WHOLES:
        return ""
    return next((name for begin, name in _WHOLES.items() if kind.startswith(begin)), "")


def _is_whole(resource: Mapping[str, Any]) -> bool:
    kind = str(resource.get("Type"))
    return not kind.startswith(_PASSING) and kind != PERMISSION and not _whole_property(kind)


def _wholes(resource: Mapping[str, Any]) -> set[str]:
    name = _whole_property(str(resource.get("Type")))
    return {found.logical_id for found in references(properties_of(resource).get(name))} if name else set()


def _serves(resource: Mapping[str, Any], chosen: set[str], removed: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether it is the permission of an address that is kept."""
    if resource.get("Type") != PERMISSION:
        return False
    properties = properties_of(resource)
    if "FunctionUrlAuthType" in properties:
        return any(removed[key].get("Type") == "AWS::Lambda::Url" for key in chosen)
    return any(found.logical_id in chosen for found in references(properties.get("SourceArn")))


def _freeze_all(sides: Sides, wanted: tuple[str, ...]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The chosen resources as they were, but for those that cannot be kept and what names one of these."""
    old = sides.deployed["Resources"]
    held: dict[str, dict[str, Any]] = {}
    told: list[str] = []
    for key in wanted:
        try:
            held[key] = sides.freeze(old[key])
        except _UnholdableError as error:
            told.append(f"{key}: it is not kept, since {error}")
    while lost := {key: gone for key in held if (gone := _missing(sides, held, key))}:
        for key, gone in lost.items():
            del held[key]
            told.append(f"{key}: it is not kept, since {gone} goes at once")
    for key, resource in held.items():
        waits = [name for name in logical_ids(old[key].get("DependsOn")) if name in held or sides.stays(name)]
        if waits:
            resource["DependsOn"] = waits
    return held, told


def _missing(sides: Sides, held: Mapping[str, Any], key: str) -> str:
    named = (found.logical_id for found in references(held[key]))
    resources = sides.deployed["Resources"]
    return next(
        (name for name in named if name in resources and name not in held and not sides.stays(name)), ""
    )


def _merge(sides: Sides, held: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    template: dict[str, Any] = copy(dict(sides.new))
    template["Resources"] = dict(sorted({**template["Resources"], **held}.items()))
    for section, names in (("Parameters", sides.parameters), ("Mappings", sides.mappings)):
        if names:
            kept = {name: copy(sides.deployed[section][name]) for name in sorted(names)}
            template[section] = {**(template.get(section) or {}), **kept}
    return template
