"""EventBridge event patterns: which event a pattern takes, and which patterns AWS refuses. Pure.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from __future__ import annotations

import ipaddress
import operator
import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json: TypeAlias = dict[str, Any]
MISSING: Final = object()
ORDER: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}
NAMES: Final = {
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "numeric",
    "equals-ignore-case",
    "wildcard",
    "cidr",
}


def match(pattern: Json, event: Any) -> bool:  # noqa: ANN401
    """Whether the event has what every field of the pattern asks for; of a list of objects, one must."""
    if isinstance(event, list):
        return any(match(pattern, item) for item in event)
    fields = event if isinstance(event, dict) else {}
    return all(_match_field(name, wanted, fields) for name, wanted in pattern.items())


def _match_field(name: str, wanted: Any, fields: Json) -> bool:  # noqa: ANN401
    if name == "$or":
        return any(match(alternative, fields) for alternative in wanted)
    if isinstance(wanted, dict):
        return match(wanted, fields.get(name, {}))
    found = fields.get(name, MISSING)
    values = found if isinstance(found, list) else [found]
    return any(_match_filter(one, value) for one in wanted for value in values or [MISSING])


def _match_filter(wanted: Any, value: Any) -> bool:  # noqa: ANN401
    if not isinstance(wanted, dict):
        return _same(wanted, value)
    name, argument = next(iter(wanted.items()))
    if name == "exists":
        return (value is not MISSING and not isinstance(value, dict)) is argument
    if value is MISSING:
        return False
    return FILTERS[name](argument, value)


def _same(wanted: Any, value: Any) -> bool:  # noqa: ANN401
    """Equal as JSON: `true` is not 1."""
    return isinstance(wanted, bool) == isinstance(value, bool) and bool(wanted == value)


def _match_text(test: Callable[[str, str], bool], argument: Any, value: Any) -> bool:  # noqa: ANN401
    if not isinstance(value, str):
        return False
    if isinstance(argument, dict):
        return test(value.casefold(), str(argument["equals-ignore-case"]).casefold())
    options = argument if isinstance(argument, list) else [argument]
    return any(test(value, option) for option in options)


def _wildcard(value: str, pattern: str) -> bool:
    parts = re.findall(r"\\\*|\\\\|\*|[^*\\]+|\\", pattern)
    expression = "".join(".*" if part == "*" else re.escape(part.replace("\\*", "*")) for part in parts)
    return re.fullmatch(expression, value, re.DOTALL) is not None


def _numeric(argument: list[Any], value: Any) -> bool:  # noqa: ANN401
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    pairs = zip(argument[::2], argument[1::2], strict=True)
    return all(ORDER[sign](value, limit) for sign, limit in pairs)


def _anything_but(argument: Any, value: Any) -> bool:  # noqa: ANN401
    if isinstance(argument, dict):
        return not _match_filter(argument, value)
    options = argument if isinstance(argument, list) else [argument]
    return not any(_same(option, value) for option in options)


def _cidr(argument: str, value: Any) -> bool:  # noqa: ANN401
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(argument, strict=False)
    except ValueError:
        return False


FILTERS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "prefix": lambda argument, value: _match_text(str.startswith, argument, value),
    "suffix": lambda argument, value: _match_text(str.endswith, argument, value),
    "equals-ignore-case": lambda argument, value: _match_text(
        lambda one, other: one.casefold() == other.casefold(), argument, value
    ),
    "wildcard": lambda argument, value: _match_text(_wildcard, argument, value),
    "numeric": _numeric,
    "anything-but": _anything_but,
    "cidr": _cidr,
}


def check(pattern: Any) -> Iterator[str]:  # noqa: ANN401
    """Name what AWS refuses in a pattern, with the field."""
    if not isinstance(pattern, dict) or not pattern:
        yield "Filter is not an object, or is empty"
        return
    for name, wanted in pattern.items():
        if name == "$or" and isinstance(wanted, list):
            for alternative in wanted:
                yield from check(alternative)
        elif isinstance(wanted, dict):
            yield from check(wanted)
        elif not isinstance(wanted, list):
            yield f"'{name}' must be an object or an array"
        elif not wanted:
            yield "Empty arrays are not allowed"
        else:
            for one in wanted:
                yield from _check_filter(name, one)


def _check_filter(field: str, wanted: Any) -> Iterator[str]:  # noqa: ANN401
    if isinstance(wanted, list):
        yield f"'{field}': an array within an array"
    if not isinstance(wanted, dict):
        return
    if len(wanted) != 1:
        yield f"'{field}': only one key is allowed in a match expression"
    name, argument = next(iter(wanted.items()), ("", None))
    if name not in NAMES:
        yield f"'{field}': unrecognized match type {name}"
    elif name == "exists" and not isinstance(argument, bool):
        yield f"'{field}': exists match pattern must be either true or false"
    elif name == "numeric":
        parts = argument if isinstance(argument, list) else []
        if not parts or len(parts) % 2 or any(sign not in ORDER for sign in parts[::2]):
            yield f"'{field}': invalid numeric match {argument}"
    elif name == "anything-but" and isinstance(argument, dict):
        yield from _check_filter(field, argument)
