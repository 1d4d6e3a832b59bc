"""The feature flags that a stage's change set deploys: told in the plan, with what a rollback counts from."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from functions.plan_release.sides import know_values
from tidegate.adapters.flags import find_last
from tidegate.domain.flags import DEPLOYMENT, FlagEnvironment, describe, list_places

if TYPE_CHECKING:
    from functions.plan_release.stages import StageChange
    from tidegate.domain.preflight import Finding


Place: TypeAlias = tuple[str, str]


class PlannedFlags(NamedTuple):
    """The environments that are deployed to, as far as they are known, and a finding for each deployment."""

    environments: tuple[FlagEnvironment, ...] = ()
    findings: tuple[Finding, ...] = ()


def plan_flags(change: StageChange) -> PlannedFlags:
    """Nothing in a new stack: nobody has read any of its flags before, and it stays when it fails."""
    moved = frozenset(item.logical_id for item in change.change_set.changes if item.replacement)
    values = know_values(change, moved)
    if values is None or not any(item.type == DEPLOYMENT for item in change.change_set.changes):
        return PlannedFlags()
    places: dict[str, Place | None] = {}
    stacks: dict[Place, list[str]] = {}
    for part in change.parts.values():
        changes = [item.in_stack() for item in change.changes_of(part)]
        for key, place in list_places(part.normalized.template, changes, values.after(part.path)).items():
            known = place if part.state else None  # the name of a stack that is yet to come is not known
            places[part.name(key)] = known
            if known and part.state:
                stacks.setdefault(known, []).append(part.state.name)
    environments = tuple(_look(change, place, names) for place, names in sorted(stacks.items()))
    return PlannedFlags(environments, tuple(describe(places, environments)))


def _look(change: StageChange, place: Place, stacks: list[str]) -> FlagEnvironment:
    application, environment = place
    last = find_last(change.stage.flags, application, environment)
    names = tuple(sorted(set(stacks)))
    return FlagEnvironment(application=application, environment=environment, last=last, stacks=names)
