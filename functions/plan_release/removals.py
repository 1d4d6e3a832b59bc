"""What a stage's new template drops of its stack: kept in what is applied, until an update after the bake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.plan_release.sides import know_values
from tidegate.adapters.documents import stage_prefix
from tidegate.domain.plans import StackUpdate
from tidegate.domain.templates.removals import Removals, Sides, hold_removed

if TYPE_CHECKING:
    from functions.plan_release.stages import StageChange


def keep_removed(change: StageChange) -> Removals:
    """What the new template drops of the stack's resources, kept in it until after the bake."""
    known = know_values(change)
    if change.deployed is None or known is None:
        return Removals()
    values = (known.before, known.after)
    sides = Sides(change.deployed, change.normalized.template, values, known.changed)
    return hold_removed(sides, change.standing)


def tell_removed(change: StageChange) -> tuple[str, ...]:
    """What is kept, a sentence each."""
    resources = change.deployed["Resources"] if change.deployed else {}
    return tuple(
        f"{key}: the {resources[key]['Type']} is removed after the bake" for key in change.removals.held
    )


def describe_exact(change: StageChange) -> StackUpdate | None:
    """The update to the commit's own template, after the bake; None where nothing is kept until then."""
    if not change.removals.held:
        return None
    return StackUpdate(
        name="exact",
        change_set=f"{change.change_set_name}-exact",
        template=f"{stage_prefix(change.ref, change.target.name)}template.json",
        parameters=change.parameters,
        capabilities=change.wanted.capabilities,
    )
