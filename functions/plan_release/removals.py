"""What a stage's new templates drop of its stacks: kept in what is applied, until after the bake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.plan_release.sides import know_values
from tidegate.adapters.documents import stage_prefix
from tidegate.domain.plans import StackUpdate
from tidegate.domain.templates.literals import UNKNOWN
from tidegate.domain.templates.removals import Removals, Sides, hold_removed, settle_parameters

if TYPE_CHECKING:
    from functions.plan_release.parts import Part
    from functions.plan_release.sides import TreeValues
    from functions.plan_release.stages import StageChange


def keep_removed(change: StageChange) -> None:
    """Find for each stack what the new template drops of it, kept in that until after the bake.

    A nested stack that the new template drops is kept as a whole.
    """
    known = know_values(change)
    for part in change.parts.values() if known else ():
        part.removals = _keep(part, known) if known else Removals()


def _keep(part: Part, known: TreeValues) -> Removals:
    before = known.before(part.path)
    if part.deployed is None or before is None or part.state is None:
        return Removals()
    values = (before, known.after(part.path))
    sides = Sides(part.deployed, part.normalized.template, values, known.changed(part.path))
    removals = hold_removed(sides, part.standing)
    if not part.path:
        return removals
    # A child is given its parameters by its parent, which no longer passes these.
    standing = {name: value for name, value in part.state.parameters.items() if value != UNKNOWN}
    return settle_parameters(removals, standing)


def tell_removed(change: StageChange) -> tuple[str, ...]:
    """What is kept, a sentence each."""
    return tuple(
        f"{part.name(key)}: the {part.deployed['Resources'][key]['Type']} is removed after the bake"
        for part in change.parts.values()
        if part.deployed
        for key in part.removals.held
    )


def describe_exact(change: StageChange) -> StackUpdate | None:
    """The update to the commit's own template, after the bake; None where nothing is kept until then."""
    if not change.holds_removed:
        return None
    return StackUpdate(
        name="exact",
        change_set=f"{change.change_set_name}-exact",
        template=f"{stage_prefix(change.ref, change.target.name)}template.json",
        parameters=change.parameters,
        capabilities=change.wanted.capabilities,
    )
