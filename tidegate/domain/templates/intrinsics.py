"""Intrinsic functions as data: who refers to whom, renaming, and reading a value before deployment.

References are found in `Ref`, `Fn::GetAtt` and `Fn::Sub`. Everything is linear in the size of the value and
gives new data. May not decide what a reference means; that is for the modules that ask.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

REF, GET_ATT, SUB, JOIN, IF = "Ref", "Fn::GetAtt", "Fn::Sub", "Fn::Join", "Fn::If"
NO_VALUE = "AWS::NoValue"
VARIABLE = re.compile(r"\$\{\s*([^!${}\s][^${}]*?)\s*\}")
Path = tuple[str, ...]


class Reference(NamedTuple):
    """One mention of a logical id: where it stands, and which attribute it asks for ("" for Ref)."""

    path: Path
    logical_id: str
    attribute: str


def is_intrinsic(value: object) -> bool:
    """Whether a value is a call of an intrinsic function."""
    return isinstance(value, dict) and len(value) == 1 and _is_name(next(iter(value)))


def _is_name(key: str) -> bool:
    return key in {REF, "Condition"} or key.startswith("Fn::")


def call(value: object) -> tuple[str, Any]:
    """The function's name and argument; ("", None) for a plain value."""
    if isinstance(value, dict) and is_intrinsic(value):
        name, argument = next(iter(value.items()))
        return name, argument
    return "", None


def split_attribute(name: str) -> tuple[str, str]:
    """`F.Arn` as ("F", "Arn"); a plain name has the attribute ""."""
    logical_id, _, attribute = name.partition(".")
    return logical_id, attribute


def sub_parts(argument: object) -> tuple[str, dict[str, Any]]:
    """The text of a `Fn::Sub` and its own variables."""
    if isinstance(argument, list) and argument:
        variables = argument[1] if len(argument) > 1 and isinstance(argument[1], dict) else {}
        return str(argument[0]), variables
    return str(argument), {}


def direct_reference(value: object) -> tuple[str, str] | None:
    """The logical id and attribute that this very value names: Ref, GetAtt, or a Sub of one name."""
    name, argument = call(value)
    if name == REF and isinstance(argument, str):
        return argument, ""
    if name == GET_ATT and isinstance(argument, list) and len(argument) > 1:
        return str(argument[0]), ".".join(str(part) for part in argument[1:])
    if name == SUB and isinstance(argument, str) and (found := VARIABLE.fullmatch(argument)):
        return split_attribute(found[1])
    return None


def references(value: object, path: Path = ()) -> Iterator[Reference]:
    """Every mention of a logical id, pseudo parameter or parameter in a value."""
    name, argument = call(value)
    if name in {REF, GET_ATT}:
        if named := direct_reference(value):
            yield Reference(path, *named)
    elif name == SUB:
        text, variables = sub_parts(argument)
        for variable in VARIABLE.findall(text):
            if variable not in variables:
                yield Reference(path, *split_attribute(variable))
        yield from references(variables, path)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from references(item, path if name else (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from references(item, (*path, str(index)))


def copy(value: Any) -> Any:  # noqa: ANN401
    """The same data without shared parts, so that a change in one place is seen in that place only."""
    if isinstance(value, dict):
        return {key: copy(item) for key, item in value.items()}
    return [copy(item) for item in value] if isinstance(value, list) else value


def rewrite(value: Any, change: Callable[[Any], Any]) -> Any:  # noqa: ANN401
    """The value with `change` applied from the outside in; a part that changed is not looked into again."""
    changed = change(value)
    if changed is not value:
        return changed
    if isinstance(value, dict):
        return {key: rewrite(item, change) for key, item in value.items()}
    return [rewrite(item, change) for item in value] if isinstance(value, list) else value


def rename(value: Any, names: Mapping[str, str]) -> Any:  # noqa: ANN401
    """The value with references to the keys of `names` turned into references to their values."""
    return rewrite(value, lambda part: _rename_call(part, names))


def _rename_call(value: Any, names: Mapping[str, str]) -> Any:  # noqa: ANN401
    name, argument = call(value)
    if name == REF and isinstance(argument, str) and argument in names:
        return {REF: names[argument]}
    if name == GET_ATT and isinstance(argument, list) and argument and argument[0] in names:
        return {GET_ATT: [names[argument[0]], *argument[1:]]}
    if name == SUB:
        return _rename_sub(value, argument, names)
    return value


def _rename_sub(value: Any, argument: object, names: Mapping[str, str]) -> Any:  # noqa: ANN401
    text, variables = sub_parts(argument)

    def renamed(found: re.Match[str]) -> str:
        logical_id, attribute = split_attribute(found[1])
        if found[1] in variables or logical_id not in names:
            return found[0]
        return "${" + names[logical_id] + (f".{attribute}" if attribute else "") + "}"

    changed, inner = VARIABLE.sub(renamed, text), rename(variables, names)
    if changed == text and inner == variables:
        return value
    return {SUB: [changed, inner] if variables else changed}
