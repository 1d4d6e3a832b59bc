"""One stage's stack brought back to what it was before the release, through a change set of its own."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from functions.undo_release.flags import undo_flags
from functions.undo_release.provisioning import undo_provisioning
from tidegate.adapters.changes import Change, check_operable, drive
from tidegate.adapters.documents import exact_mark, stage_prefix
from tidegate.adapters.healthy import forget_healthy
from tidegate.adapters.plans import find_asked, find_plan
from tidegate.adapters.stacks import delete, delete_change_set, delete_guards, find_change_set, find_stack
from tidegate.adapters.stored_templates import check_children
from tidegate.adapters.telemetry import disarm
from tidegate.domain.undo import PreviousStack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tidegate.adapters.stacks import StackState
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.plans import StagePlan
    from tidegate.settings import StageTarget
    from tidegate.task import StageTools, Tools


def undo_stages(ref: ReleaseRef, tools: Tools, under: ReleaseRef) -> tuple[str, ...] | None:
    """One step; the stacks once every stage is as it was, the last stage first, and None before.

    Flags go back first, in all stages: users have them, and a stack takes minutes.
    `under` is who holds the claim: the release itself, or an order that leaves it.
    """
    plan = find_plan(tools.documents, ref)
    if plan is None:
        return () if all(_forget_asked(ref, stage, tools) for stage in tools.settings.stages) else None
    stages = tuple(reversed(plan.stages))
    for stage in stages:
        undo_flags(ref, stage, tools, under)
    if not all(undo_stage(ref, stage, tools, under) for stage in stages):
        return None
    for stage in stages:
        forget_healthy(tools.ledger, tools.documents, ref, stage.stage, under)
    return tuple(stage.stack_name for stage in stages)


def undo_stage(ref: ReleaseRef, plan: StagePlan, tools: Tools, under: ReleaseRef) -> bool:
    """One step towards the stage as it was; True once it is. What was held is let go when the stack is so."""
    if not _undo_stack(ref, plan, tools, under):
        return False
    if not plan.held_roles:
        return True
    removal = tools.side_stacks(ref, plan.stage).take_holds()
    if removal.ended:
        what = removal.left or "what was held is taken away: the roles have it by themselves again"
        tools.record(ref, "UndoRelease", what, stage=plan.stage, key=f"{ref.epoch}#hold")
    return removal.ended


def _undo_stack(ref: ReleaseRef, plan: StagePlan, tools: Tools, under: ReleaseRef) -> bool:
    """One step towards the stack as it was; True once it is. A stack that this release created stays.

    An adopted stack stays adopted: its aliases are on the code that ran before, and its triggers with them.
    Deleting a stack would delete what it holds, so a first release that fails leaves its stack for the next.
    """
    stage = tools.stage(plan.stage)
    role = stage.target.cloudformation_role
    disarmed = disarm(stage, ref)
    delete_guards(stage.cloudformation, ref.service, plan.stage, len(plan.canaried), role)
    if not disarmed:
        return False
    state = check_operable(stage.cloudformation, plan.stack_name)
    if state is None:
        return True
    if state.is_busy:
        return False
    undo_provisioning(ref, plan, tools, under)
    previous = tools.documents.find(f"{stage_prefix(ref, plan.stage)}previous.json", PreviousStack)
    if previous is not None and tools.documents.exists(_mark_key(ref, plan)):
        return _bring_back(ref, plan, previous, tools)
    forgotten = _forget_change(plan, state, tools)
    if previous is None or not forgotten:
        return forgotten
    # Where the release's own update failed and was rolled back, there is nothing to bring back; but it was
    # not that one if the update after the bake has begun.
    later = tools.documents.exists(exact_mark(ref, plan.stage))
    untouched = not previous.existed or (state.status == "UPDATE_ROLLBACK_COMPLETE" and not later)
    return untouched or _bring_back(ref, plan, previous, tools)


def _mark_key(ref: ReleaseRef, plan: StagePlan) -> str:
    return f"{stage_prefix(ref, plan.stage)}undo.json"


def _forget_asked(ref: ReleaseRef, target: StageTarget, tools: Tools) -> bool:
    """Delete what a release asked for that ended before it had a plan; False while CloudFormation is busy."""
    asked = find_asked(tools.documents, ref, target.name)
    state = find_stack(tools.stage(target.name).cloudformation, asked.stack_name) if asked else None
    if asked is None or state is None:
        return True
    if state.is_busy:
        return False
    return _forget(tools.stage(target.name), state, (asked.change_set,))


def _forget_change(plan: StagePlan, state: StackState, tools: Tools) -> bool:
    names = (plan.change_set, *(update.change_set for update in plan.updates))
    return _forget(tools.stage(plan.stage), state, tuple(filter(None, names)))


def _forget(stage: StageTools, state: StackState, names: Sequence[str]) -> bool:
    """Delete what only the plan made: unexecuted change sets, and the empty stack that one brings.

    A handler that is held up can execute none of them afterwards.
    False while CloudFormation works on one of them. It takes its time where nested stacks are planned too.
    """
    found = {name: find_change_set(stage.cloudformation, state.name, name) for name in names}
    left = {name: one for name, one in found.items() if one is not None and not one.is_executed}
    if not all(one.is_settled for one in left.values()):
        return False
    for name in left:
        # Nested stacks that a change set would make go with it, not with the empty stack.
        delete_change_set(stage.cloudformation, state.name, name)
    if state.status == "REVIEW_IN_PROGRESS":
        delete(stage.cloudformation, state.name, stage.target.cloudformation_role)
    return True


def _bring_back(ref: ReleaseRef, plan: StagePlan, previous: PreviousStack, tools: Tools) -> bool:
    """One step of the update back to the previous template."""
    stage = tools.stage(plan.stage)
    key, body = f"{stage_prefix(ref, plan.stage)}previous-template.json", previous.template.encode()
    stage.documents.write_bytes(key, body, "application/json")
    change = Change(
        stack=plan.stack_name,
        name=f"tidegate-undo-{ref.id}",
        purpose="the way back",
        template_url=stage.documents.url(key),
        parameters=previous.parameters,
        capabilities=previous.capabilities,
        role=stage.target.cloudformation_role,
        mark=_mark_key(ref, plan),
    )
    return drive(
        stage.cloudformation, tools.documents, change, partial(check_children, stage.documents, body)
    )
