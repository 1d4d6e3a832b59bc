"""One stage's stack brought back to what it was before the release, through a change set of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.adapters.changes import advance, check_operable
from tidegate.adapters.documents import stage_prefix
from tidegate.adapters.stacks import (
    create_change_set,
    delete,
    delete_change_set,
    delete_guards,
    find_change_set,
)
from tidegate.domain.errors import ChangeSetFailed
from tidegate.domain.undo import PreviousStack, UndoMark

if TYPE_CHECKING:
    from tidegate.adapters.stacks import StackState
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.plans import StagePlan
    from tidegate.task import Tools


def undo_stage(ref: ReleaseRef, plan: StagePlan, tools: Tools) -> bool:
    """One step towards the stack as it was; True once it is. A stack that this release created stays.

    Deleting a stack would delete what it holds, so a first release that fails leaves its stack for the next.
    """
    stage = tools.stage(plan.stage)
    role = stage.target.cloudformation_role
    delete_guards(stage.cloudformation, ref.service, plan.stage, len(plan.canaried), role)
    state = check_operable(stage.cloudformation, plan.stack_name)
    if state is None:
        return True
    if state.is_busy:
        return False
    previous = tools.documents.find(f"{stage_prefix(ref, plan.stage)}previous.json", PreviousStack)
    if previous is None:
        _forget_change(plan, state, tools)
        return True
    begun = tools.documents.find(_mark_key(ref, plan), UndoMark)
    if begun is not None:
        return advance(stage.cloudformation, plan.stack_name, begun.change_set)
    # Where the release's own update failed and was rolled back, there is nothing to bring back.
    untouched = not previous.existed or state.status == "UPDATE_ROLLBACK_COMPLETE"
    return untouched or _bring_back(ref, plan, previous, tools)


def _mark_key(ref: ReleaseRef, plan: StagePlan) -> str:
    return f"{stage_prefix(ref, plan.stage)}undo.json"


def _forget_change(plan: StagePlan, state: StackState, tools: Tools) -> None:
    """Delete what only the plan made: an unexecuted change set, and the empty stack that it brings."""
    stage = tools.stage(plan.stage)
    if state.status == "REVIEW_IN_PROGRESS":
        delete(stage.cloudformation, plan.stack_name, stage.target.cloudformation_role)
    elif plan.change_set:
        delete_change_set(stage.cloudformation, plan.stack_name, plan.change_set)


def _bring_back(ref: ReleaseRef, plan: StagePlan, previous: PreviousStack, tools: Tools) -> bool:
    """Ask for the change set back to the previous template, then drive it to its end.

    The mark says that it is being executed: from then on a missing change set is one that has ended, and a
    stack that was rolled back is one whose undoing failed.
    """
    stage = tools.stage(plan.stage)
    client, name = stage.cloudformation, f"tidegate-undo-{ref.id}"
    found = find_change_set(client, plan.stack_name, name)
    if found is None:
        key = f"{stage_prefix(ref, plan.stage)}previous-template.json"
        stage.documents.write_bytes(key, previous.template.encode(), "application/json")
        create_change_set(
            client,
            plan.stack_name,
            name,
            template_url=stage.documents.url(key),
            parameters=previous.parameters,
            capabilities=previous.capabilities,
            role=stage.target.cloudformation_role,
            exists=True,
        )
        return False
    if found.is_pending:
        return False
    if found.is_empty:
        return True
    if found.status == "FAILED":
        message = f"CloudFormation cannot compute the way back of {plan.stack_name}: {found.reason}"
        raise ChangeSetFailed(message)
    tools.documents.write(_mark_key(ref, plan), UndoMark(change_set=name))
    return advance(client, plan.stack_name, name)
