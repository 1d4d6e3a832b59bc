"""The stage's stack as it is and as it will be: what is known of the values of both templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tidegate.domain.templates.values import MASKED, Values, name_surroundings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.plan_release.stages import StageChange


class KnownValues(NamedTuple):
    """What is known before and after the update, and the parameters whose value it changes."""

    before: Values
    after: Values
    changed: frozenset[str]


def know_values(change: StageChange, moved: frozenset[str] = frozenset()) -> KnownValues | None:
    """None where there is no stack yet. moved: the resources that the update replaces."""
    if change.deployed is None or change.state is None:
        return None
    old, template = change.state.parameters, change.normalized.template
    new = _effective(template, change.parameters, old)
    changed = frozenset(name for name, value in new.items() if value != old.get(name))
    around = name_surroundings(change.target.account, change.target.region, change.wanted.stack_name)
    return KnownValues(
        before=Values(change.deployed, old, change.standing, around),
        after=Values(template, new, change.standing, around, changed | moved),
        changed=changed,
    )


def _effective(
    template: Mapping[str, Any], given: Mapping[str, str], before: Mapping[str, str]
) -> dict[str, str]:
    """The parameters as they will be: what is given, what the stack keeps, and defaults."""
    declared = template.get("Parameters") or {}
    values = {name: given.get(name, str(item.get("Default", ""))) for name, item in declared.items()}
    return {name: before.get(name, MASKED) if value == MASKED else value for name, value in values.items()}
