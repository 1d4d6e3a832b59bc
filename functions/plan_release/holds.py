"""What a stage's change takes away from the roles of its stable versions, and what of it is held."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.plan_release.sides import know_values
from tidegate.adapters.documents import stage_prefix
from tidegate.adapters.roles import read_live
from tidegate.domain.holds import Holds, LiveRole, RoleHold, decide, find_loss, make_document
from tidegate.domain.rights import list_rights, shorten
from tidegate.domain.templates.roles import RolePolicies, Side, read_roles, roles_of_functions

if TYPE_CHECKING:
    from functions.plan_release.stages import StageChange
    from tidegate.task import Tools

Policies = tuple[RolePolicies, RolePolicies]


def plan_holds(change: StageChange, tools: Tools) -> Holds:
    """What is held in the stage. Decided once for a release, since it takes calls for every role."""
    key = f"{stage_prefix(change.ref, change.target.name)}holds.json"
    holds = tools.documents.find(key, Holds)
    if holds is None:
        holds = _decide(change)
        tools.documents.write(key, holds)
    return holds


def _decide(change: StageChange) -> Holds:
    sides = _read_sides(change)
    losses = {key: find_loss(old, new) for key, (old, new) in sides.items()}
    losing = {key: loss for key, loss in losses.items() if any(loss)}
    sources = {
        change.standing[key]: frozenset({*loss.arns, *sides[key][0].managed}) for key, loss in losing.items()
    }
    live = read_live(change.stage.roles, sources)
    roles, held, at_once = [], [], []
    for key in losing:
        name = change.standing[key]
        decision = decide(*sides[key], live.get(name, LiveRole()))
        at_once += [f"{key}: {sentence}" for sentence in decision.sentences]
        if decision.statements:
            arns = tuple(sorted(sources[name]))
            roles.append(RoleHold(logical_id=key, role=name, statements=decision.statements, sources=arns))
            rights = list_rights(make_document(decision.statements))
            held.append(f"{key}: {shorten(rights)}")
    return Holds(roles=tuple(roles), held=tuple(held), at_once=tuple(at_once))


def _read_sides(change: StageChange) -> dict[str, Policies]:
    """The roles that functions of the stack run with now, as they are and as they will be.

    Not those that the update takes away or replaces: no hold may stand in the way of that.
    """
    moved = frozenset(item.logical_id for item in change.change_set.changes if item.replacement)
    known = know_values(change, moved)
    if known is None:
        return {}
    before = {
        path: Side(part.deployed, values)
        for path, part in change.parts.items()
        if part.deployed is not None and (values := known.before(path)) is not None
    }
    after = {path: Side(part.normalized.template, known.after(path)) for path, part in change.parts.items()}
    wanted = roles_of_functions(before, (function.logical_id for function in change.functions))
    old, new = read_roles(before), read_roles(after)
    staying = (key for key in wanted if key in old and key in new and key in change.standing)
    return {key: (old[key], new[key]) for key in staying if key not in moved}
