"""The side stack with what the stable version's roles lose: there before the service's stack changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.adapters.documents import stage_prefix
from tidegate.adapters.roles import read_live
from tidegate.domain.holds import Holds, build_holds, keep_standing, list_sources

if TYPE_CHECKING:
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.plans import StagePlan
    from tidegate.task import Tools


def hold(ref: ReleaseRef, plan: StagePlan, tools: Tools) -> bool:
    """One step towards held rights, True once they are; what an earlier release has left goes first."""
    side = tools.side_stacks(ref, plan.stage)
    placed = _place(ref, plan, tools) if plan.held_roles else Holds()
    if not placed.roles:
        tools.ledger.check_epoch(ref)  # what stands may be a later release's
        removal = side.take_holds()
        if removal.left:
            tools.record(ref, "ProvisionStage", removal.left, stage=plan.stage, key="hold")
        return removal.ended
    # The first one is asked for first: it stands as long as any does.
    held = [side.stand_up(stack) for stack in build_holds(ref.service, plan.stage, placed)]
    if all(held):
        what = f"{plan.stack_name}: roles keep until after the bake what they lose"
        evidence = {"held": list(plan.held), "roles": [role.role for role in placed.roles]}
        tools.record(ref, "ProvisionStage", what, stage=plan.stage, key="hold", evidence=evidence)
    return all(held)


def _place(ref: ReleaseRef, plan: StagePlan, tools: Tools) -> Holds:
    """What is held of the planned, once and for all: what somebody took from a role since stays taken."""
    key = f"{stage_prefix(ref, plan.stage)}holds-placed.json"
    placed = tools.documents.find(key, Holds)
    if placed is not None:
        return placed
    planned = tools.documents.read(f"{stage_prefix(ref, plan.stage)}holds.json", Holds)
    live = read_live(tools.stage(plan.stage).roles, list_sources(planned))
    kept = (keep_standing(role, live.get(role.role)) for role in planned.roles)
    placed = planned.model_copy(update={"roles": tuple(role for role in kept if role)})
    tools.documents.write(key, placed)
    return placed
