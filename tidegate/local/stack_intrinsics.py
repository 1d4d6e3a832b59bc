"""Intrinsic functions: a node of a template in, its value out.

Values that cannot be known yet (the ARN of a resource that is still to be made) are `Unknown` and carry
what they wait for, so that the same resolver serves the plan and the execution. It calls nothing itself:
whatever lies outside the template is asked of the scope.
"""

from __future__ import annotations

import base64
import ipaddress
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tidegate.local.stack_errors import ValidationError
from tidegate.local.stack_templates import SUBSTITUTION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

NO_VALUE: Final = object()
ZONES: Final = "abc"
PAIR: Final = 2


@dataclass(frozen=True)
class Cause:
    """Why a value is not known yet: the kind of reference (as DescribeChangeSet names it) and its target."""

    source: str
    entity: str


@dataclass(frozen=True)
class Unknown:
    """A value that only the execution will tell."""

    causes: frozenset[Cause]


@dataclass
class Scope:
    """All that a template's nodes can refer to."""

    values: Mapping[str, Any]
    mappings: Mapping[str, Any]
    condition_nodes: Mapping[str, Any]
    reference: Callable[[str], Any]
    attribute: Callable[[str, str], Any]
    imported: Callable[[str], str]
    region: str
    decided: dict[str, bool] = field(default_factory=dict)

    def holds(self, condition: str) -> bool:
        """Whether a condition of the template is true."""
        if condition not in self.condition_nodes:
            raise ValidationError(f"Template format error: Unresolved condition dependency {condition}")
        if condition not in self.decided:
            self.decided[condition] = decide(self.condition_nodes[condition], self)
        return self.decided[condition]


def decide(node: object, scope: Scope) -> bool:
    """Decide a condition's node."""
    if isinstance(node, dict) and len(node) == 1:
        ((name, argument),) = node.items()
        if name == "Condition":
            return scope.holds(str(argument))
        if name == "Fn::Equals":
            left, right = (to_text(resolve(value, scope)) for value in argument)
            return bool(left == right)
        if name == "Fn::Not":
            return not decide(argument[0], scope)
        if name in {"Fn::And", "Fn::Or"}:
            return bool((all if name == "Fn::And" else any)(decide(item, scope) for item in argument))
    value = resolve(node, scope)
    if isinstance(value, bool):
        return value
    if value in {"true", "false"}:
        return bool(value == "true")
    raise ValidationError(f"Template format error: {json.dumps(node)} is not a condition")


def resolve(node: Any, scope: Scope) -> Any:  # noqa: ANN401
    """Resolve a node; members whose value is AWS::NoValue are left out of their parent."""
    if isinstance(node, list):
        return [value for value in (resolve(item, scope) for item in node) if value is not NO_VALUE]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        ((name, argument),) = node.items()
        if name == "Ref":
            return _refer(argument, scope)
        if name in FUNCTIONS:
            return FUNCTIONS[name](argument, scope)
        if name.startswith("Fn::"):
            raise ValidationError(f"Template error: {name} is not available in the local cloud")
    resolved = {key: resolve(value, scope) for key, value in node.items()}
    return {key: value for key, value in resolved.items() if value is not NO_VALUE}


def to_text(value: Any) -> Any:  # noqa: ANN401
    """A scalar as CloudFormation writes it into strings; an Unknown stays one."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return value


def find_unknown(value: object) -> frozenset[Cause]:
    """All that a resolved value still waits for."""
    if isinstance(value, Unknown):
        return value.causes
    inner: Iterable[object] = ()
    if isinstance(value, dict):
        inner = value.values()
    elif isinstance(value, list):
        inner = value
    return frozenset(cause for item in inner for cause in find_unknown(item))


def _refer(name: str, scope: Scope) -> Any:  # noqa: ANN401
    if name == "AWS::NoValue":
        return NO_VALUE
    return scope.values[name] if name in scope.values else scope.reference(name)


def _get_attribute(argument: str | list[Any], scope: Scope) -> Any:  # noqa: ANN401
    name, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
    return scope.attribute(name, resolve(attribute, scope))


def _join(argument: list[Any], scope: Scope) -> Any:  # noqa: ANN401
    items = resolve(argument[1], scope)
    if causes := find_unknown(items):
        return Unknown(causes)
    if not isinstance(items, list) or any(isinstance(item, dict | list) for item in items):
        raise ValidationError(
            "Template error: every Fn::Join object requires two parameters, "
            "(1) a string and (2) a list of strings"
        )
    return argument[0].join(to_text(item) for item in items)


def _substitute(argument: str | list[Any], scope: Scope) -> Any:  # noqa: ANN401
    text, nodes = (argument, {}) if isinstance(argument, str) else (argument[0], argument[1])
    values = {name: resolve(node, scope) for name, node in nodes.items()}
    for literal, raw in SUBSTITUTION.findall(text):
        name = raw.strip()
        if not literal and name not in values:
            values[name] = _get_attribute(name, scope) if "." in name else _refer(name, scope)
    if causes := find_unknown(list(values.values())):
        return Unknown(causes)
    return SUBSTITUTION.sub(
        lambda match: f"${{{match[2]}}}" if match[1] else str(to_text(values[match[2].strip()])), text
    )


def _split(argument: list[Any], scope: Scope) -> Any:  # noqa: ANN401
    text = resolve(argument[1], scope)
    return text if isinstance(text, Unknown) else text.split(argument[0])


def _select(argument: list[Any], scope: Scope) -> Any:  # noqa: ANN401
    index, items = resolve(argument[0], scope), resolve(argument[1], scope)
    if isinstance(items, Unknown):
        return items
    if not 0 <= int(index) < len(items):
        raise ValidationError(f"Template error: Fn::Select cannot select nonexistent value at index {index}")
    return items[int(index)]


def _choose(argument: list[Any], scope: Scope) -> Any:  # noqa: ANN401
    condition, positive, negative = argument
    return resolve(positive if scope.holds(condition) else negative, scope)


def _find_in_map(argument: list[Any], scope: Scope) -> Any:  # noqa: ANN401
    keys = [to_text(resolve(key, scope)) for key in argument[:3]]
    found: Any = scope.mappings
    for key in keys:
        if not isinstance(found, dict) or key not in found:
            if len(argument) > len(keys) and "DefaultValue" in argument[3]:
                return resolve(argument[3]["DefaultValue"], scope)
            raise ValidationError(f"Template error: Unable to get mapping for {'::'.join(map(str, keys))}")
        found = found[key]
    return found


def _import(argument: Any, scope: Scope) -> Any:  # noqa: ANN401
    name = resolve(argument, scope)
    return name if isinstance(name, Unknown) else scope.imported(name)


def _list_zones(argument: Any, scope: Scope) -> list[str]:  # noqa: ANN401
    region = resolve(argument, scope) or scope.region
    return [f"{region}{zone}" for zone in ZONES]


def _encode(argument: Any, scope: Scope) -> Any:  # noqa: ANN401
    text = resolve(argument, scope)
    return text if isinstance(text, Unknown) else base64.b64encode(str(text).encode()).decode()


def _write_json(argument: Any, scope: Scope) -> Any:  # noqa: ANN401
    value = resolve(argument, scope)
    causes = find_unknown(value)
    return Unknown(causes) if causes else json.dumps(value, separators=(",", ":"))


def _measure(argument: Any, scope: Scope) -> Any:  # noqa: ANN401
    value = resolve(argument, scope)
    return value if isinstance(value, Unknown) else len(value)


def _divide(argument: list[Any], scope: Scope) -> Any:  # noqa: ANN401
    values = [resolve(item, scope) for item in argument]
    if causes := find_unknown(values):
        return Unknown(causes)
    network = ipaddress.ip_network(values[0])
    bits = int(values[2]) if len(values) > PAIR else 8
    blocks = network.subnets(new_prefix=network.max_prefixlen - bits)
    return [str(block) for block, _ in zip(blocks, range(int(values[1])), strict=False)]


FUNCTIONS: Final[dict[str, Callable[[Any, Scope], Any]]] = {
    "Fn::GetAtt": _get_attribute,
    "Fn::Join": _join,
    "Fn::Sub": _substitute,
    "Fn::Split": _split,
    "Fn::Select": _select,
    "Fn::If": _choose,
    "Fn::FindInMap": _find_in_map,
    "Fn::ImportValue": _import,
    "Fn::GetAZs": _list_zones,
    "Fn::Base64": _encode,
    "Fn::ToJsonString": _write_json,
    "Fn::Length": _measure,
    "Fn::Cidr": _divide,
}
