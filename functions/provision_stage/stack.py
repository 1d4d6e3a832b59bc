"""The service's stack, brought to the plan one step at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.provision_stage.admission import copy_artifacts
from functions.provision_stage.adoption import apply_updates
from functions.provision_stage.previous import is_kept, keep_stack
from tidegate.adapters.changes import advance

if TYPE_CHECKING:
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.plans import StagePlan
    from tidegate.task import Tools


def apply(ref: ReleaseRef, plan: StagePlan, tools: Tools) -> bool:
    """One step towards the planned stack; True once it is there.

    Where only the update after the bake changes it, the stack is kept as it is for the way back.
    """
    if plan.updates:
        return apply_updates(ref, plan, tools)
    if not is_kept(ref, plan, "previous", tools):
        copy_artifacts(ref, plan.stage, tools)
        keep_stack(ref, plan, "previous", tools)
    if plan.change_set is None:
        return True
    return advance(tools.stage(plan.stage).cloudformation, plan.stack_name, plan.change_set)
