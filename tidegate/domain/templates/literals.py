"""Reading a property before deployment: parameters, mappings and conditions put in where they are known.

What only the deployment knows (a resource's attribute, an imported value) is an UnsupportedTemplate that
names it, never a guess. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tidegate.domain.errors import UnsupportedTemplate

from .intrinsics import NO_VALUE, REF, VARIABLE, call, sub_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .template import Template

_LISTS = ("CommaDelimitedList", "List<")
# Given for a parameter whose value is not known; CloudFormation shows it of a NoEcho one.
UNKNOWN: Final = "****"


class Literals:
    """The values of one template that are known before deployment."""

    def __init__(self, template: Template, parameters: Mapping[str, str]) -> None:
        self._template = template
        self._values = _parameter_values(template.data.get("Parameters") or {}, parameters)
        self._calls: dict[str, Callable[[Any, str], Any]] = {
            REF: self._ref,
            "Fn::Sub": self._sub,
            "Fn::If": self._if,
            "Fn::Join": self._join,
            "Fn::FindInMap": self._find_in_map,
            "Fn::Equals": lambda items, where: len({str(self._plain(item, where)) for item in items}) == 1,
            "Fn::Not": lambda items, where: not self._plain(items[0], where),
            "Fn::And": lambda items, where: all(self._plain(item, where) for item in items),
            "Fn::Or": lambda items, where: any(self._plain(item, where) for item in items),
            "Condition": self._condition,
        }

    def read(self, value: Any, logical_id: str, name: str) -> Any:  # noqa: ANN401
        """The plain value of a property. Raises UnsupportedTemplate where only the deployment knows it."""
        try:
            return self._plain(value, "")
        except _UnknownError as error:
            raise UnsupportedTemplate(
                f"{name} of {logical_id} must be known before deployment, but it depends on {error}",
                **self._template.place_of(logical_id),
            ) from None

    def read_if_known(self, value: Any) -> Any:  # noqa: ANN401
        """The plain value, or the value as it stands where only the deployment knows it."""
        try:
            return self._plain(value, "")
        except _UnknownError:
            return value

    def _plain(self, value: Any, where: str) -> Any:  # noqa: ANN401
        name, argument = call(value)
        if name:
            if name not in self._calls:
                raise _UnknownError(name)
            try:
                return self._calls[name](argument, where)
            except (AttributeError, IndexError, KeyError, TypeError, ValueError):
                raise _UnknownError(f"a malformed {name}") from None
        if isinstance(value, dict):
            read = {key: self._plain(item, where) for key, item in value.items()}
            return {key: item for key, item in read.items() if item is not None or value[key] is None}
        return [self._plain(item, where) for item in value] if isinstance(value, list) else value

    def _ref(self, name: Any, _where: str) -> Any:  # noqa: ANN401
        if name == NO_VALUE:
            return None
        if name in (self._template.data.get("Parameters") or {}) and name not in self._values:
            raise _UnknownError(f"the parameter {name}, which is given no value")
        if name not in self._values:
            raise _UnknownError(str(name))
        return self._values[name]

    def _sub(self, argument: Any, where: str) -> str:  # noqa: ANN401
        text, variables = sub_parts(argument)
        own = {key: self._plain(item, where) for key, item in variables.items()}
        filled = VARIABLE.sub(
            lambda found: str(own[found[1]] if found[1] in own else self._ref(found[1], where)), text
        )
        return filled.replace("${!", "${")

    def _join(self, argument: Any, where: str) -> str:  # noqa: ANN401
        separator, items = argument
        return str(separator).join(str(item) for item in self._plain(items, where))

    def _find_in_map(self, argument: Any, where: str) -> Any:  # noqa: ANN401
        name, first, second = (str(self._plain(item, where)) for item in argument[:3])
        try:
            return self._template.data["Mappings"][name][first][second]
        except (KeyError, TypeError):
            raise _UnknownError(f"the mapping {name}.{first}.{second}") from None

    def _if(self, argument: Any, where: str) -> Any:  # noqa: ANN401
        name, yes, no = argument
        return self._plain(yes if self._condition(name, where) else no, where)

    def _condition(self, name: Any, where: str) -> bool:  # noqa: ANN401
        conditions = self._template.data.get("Conditions") or {}
        if name not in conditions or name in where.split("/"):
            raise _UnknownError(f"the condition {name}")
        return bool(self._plain(conditions[name], f"{where}/{name}"))


class _UnknownError(Exception):
    """What cannot be known before deployment; never leaves this module."""


def _parameter_values(declared: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {key: item for key, item in given.items() if key.startswith("AWS::")}
    for name, parameter in declared.items():
        kind = str(parameter.get("Type", "String")) if isinstance(parameter, dict) else "String"
        if kind.startswith("AWS::SSM::") or given.get(name) == UNKNOWN:
            continue
        if name in given:
            values[name] = _typed(given[name], kind)
        elif isinstance(parameter, dict) and "Default" in parameter:
            values[name] = _typed(parameter["Default"], kind)
    return values


def _typed(value: Any, kind: str) -> Any:  # noqa: ANN401
    if kind.startswith(_LISTS) and isinstance(value, str):
        return [item.strip() for item in value.split(",")]
    return value
