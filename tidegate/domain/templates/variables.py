"""The environment variables that a template gives a function, as far as they are known before deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .intrinsics import NO_VALUE, REF, call
from .literals import Literals
from .sam_globals import function_properties

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .template import Template


# CloudFormation User Guide, "Get values stored in other services using dynamic references".
DYNAMIC: Final = "{{resolve:"


class Variables(NamedTuple):
    """Values by name. Those of `uncertain` ones may be others in a stage; `is_open`: so may the names."""

    values: dict[str, str]
    uncertain: tuple[str, ...]
    is_open: bool


def read_variables(
    template: Template, logical_id: str, parameters: Mapping[str, str], unknown: str
) -> Variables:
    """A function's variables; one whose value only the deployment knows gets the value `unknown`."""
    environment = function_properties(template, logical_id).get("Environment") or {}
    named = environment.get("Variables") or {} if isinstance(environment, dict) else None
    if not isinstance(named, dict) or call(environment)[0] or call(named)[0]:
        return Variables({}, (), is_open=True)
    literals = Literals(template, parameters)
    plain = {str(name): _is_plain(value) for name, value in named.items()}
    read = {str(name): _read(literals, value, unknown) for name, value in named.items()}
    found = {name: value for name, value in read.items() if value is not None}
    return Variables(found, tuple(name for name in found if not plain[name]), is_open=False)


def _read(literals: Literals, value: Any, unknown: str) -> str | None:  # noqa: ANN401
    if call(value) == (REF, NO_VALUE):
        return None
    found = literals.read_if_known(value) if DYNAMIC not in str(value) else None
    if isinstance(found, bool):
        return "true" if found else "false"
    return str(found) if isinstance(found, (str, int, float)) else unknown


def _is_plain(value: object) -> bool:
    return isinstance(value, (str, int, float, bool)) and DYNAMIC not in str(value)
