"""Parameters of a template: from what a caller gives, defaults and previous values to checked values."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tidegate.local.stack_errors import ValidationError
from tidegate.local.stack_intrinsics import Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tidegate.local.stack_templates import Template

SSM_VALUE: Final = re.compile(r"AWS::SSM::Parameter::Value<(.+)>")
HIDDEN: Final = "****"
UNKNOWN: Final = "{{changeSet:KNOWN_AFTER_APPLY}}"  # as nested change sets show what only the execution tells

Given = str | Unknown


@dataclass(frozen=True)
class Parameter:
    """A parameter's value: as it was given (text), and as a Ref sees it."""

    key: str
    given: str
    value: Any
    hidden: bool = False
    fetched: bool = False

    def describe(self) -> dict[str, str]:
        """The shape that DescribeStacks gives."""
        shown = {"ParameterKey": self.key, "ParameterValue": HIDDEN if self.hidden else self.given}
        if self.fetched:
            value = self.value
            shown["ResolvedValue"] = ",".join(value) if isinstance(value, list) else str(value)
        return shown


def settle_given(requested: list[dict[str, Any]], previous: Mapping[str, Parameter]) -> dict[str, Given]:
    """Turn the Parameters of a call into text by key; UsePreviousValue takes the stack's.

    What a nested stack will be given may be unknown as long as it is only planned.
    """
    given: dict[str, Given] = {}
    for item in requested:
        key = item["ParameterKey"]
        if str(item.get("UsePreviousValue", False)).lower() == "true":
            if key not in previous:
                raise ValidationError(
                    f"Invalid input for parameter key {key}. Cannot specify usePreviousValue as true "
                    "for a parameter key not in the previous template"
                )
            given[key] = previous[key].given
        elif "ParameterValue" in item:
            value = item["ParameterValue"]
            given[key] = value if isinstance(value, Unknown) else str(value)
        else:
            raise ValidationError(
                f"Invalid input for parameter key {key}. "
                "Need to specify either usePreviousValue as true or a value for the parameter"
            )
    return given


def settle_parameters(
    template: Template, given: Mapping[str, Given], fetch: Callable[[str], str]
) -> dict[str, Parameter]:
    """Check what was given against the template; `fetch` reads a parameter of SSM by name."""
    declared = template.section("Parameters")
    if strangers := sorted(set(given) - set(declared)):
        raise ValidationError(f"Parameters: [{', '.join(strangers)}] do not exist in the template")
    missing = [key for key, rule in declared.items() if key not in given and "Default" not in rule]
    if missing:
        raise ValidationError(f"Parameters: [{', '.join(missing)}] must have values")
    return {
        key: _settle(key, rule, given[key] if key in given else _write(rule["Default"]), fetch)
        for key, rule in declared.items()
    }


def _write(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _settle(key: str, rule: dict[str, Any], text: Given, fetch: Callable[[str], str]) -> Parameter:
    kind = rule.get("Type", "String")
    hidden = str(rule.get("NoEcho", False)).lower() == "true"
    if isinstance(text, Unknown):
        return Parameter(key, UNKNOWN, text, hidden)
    _check(key, rule, kind, text)
    from_ssm = SSM_VALUE.fullmatch(kind)
    if from_ssm:
        return Parameter(key, text, _convert(from_ssm[1], fetch(text)), hidden, fetched=True)
    return Parameter(key, text, _convert(kind, text), hidden)


def _convert(kind: str, text: str) -> Any:  # noqa: ANN401
    if kind == "CommaDelimitedList" or kind.startswith("List<"):
        return [item.strip() for item in text.split(",")] if text else []
    return text


def _check(key: str, rule: dict[str, Any], kind: str, text: str) -> None:
    if kind == "Number":
        _check_number(key, rule, text)
    allowed = [_write(value) for value in rule.get("AllowedValues", [])]
    items = [item.strip() for item in text.split(",")] if kind == "CommaDelimitedList" else [text]
    for item in items:
        if allowed and item not in allowed:
            raise ValidationError(f"Parameter '{key}' must be one of AllowedValues")
        if "AllowedPattern" in rule and not _matches(key, rule["AllowedPattern"], item):
            reason = rule.get("ConstraintDescription") or f"must match pattern {rule['AllowedPattern']}"
            raise ValidationError(f"Parameter {key} failed to satisfy constraint: {reason}")
    if "MinLength" in rule and len(text) < int(rule["MinLength"]):
        raise ValidationError(f"Parameter '{key}' must contain at least {rule['MinLength']} characters")
    if "MaxLength" in rule and len(text) > int(rule["MaxLength"]):
        raise ValidationError(f"Parameter '{key}' must contain at most {rule['MaxLength']} characters")


def _matches(key: str, pattern: str, text: str) -> bool:
    try:
        return re.fullmatch(pattern, text) is not None
    except re.error as error:
        raise ValidationError(
            f"Parameter {key}: the AllowedPattern {pattern} is not available in the local cloud ({error})"
        ) from error


def _check_number(key: str, rule: dict[str, Any], text: str) -> None:
    try:
        number = float(text)
    except ValueError as error:
        raise ValidationError(f"Parameter '{key}' must be a number.") from error
    if "MinValue" in rule and number < float(rule["MinValue"]):
        raise ValidationError(f"Parameter '{key}' must be a number not less than {rule['MinValue']}")
    if "MaxValue" in rule and number > float(rule["MaxValue"]):
        raise ValidationError(f"Parameter '{key}' must be a number not greater than {rule['MaxValue']}")
