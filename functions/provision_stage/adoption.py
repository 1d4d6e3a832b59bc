"""The updates of a stack that is adopted, one after the other: aliases, then triggers, then the release's.

The change set of the next one can be computed only once the one before has ended. Two marks for each, one
before its execution and one after its end, let a run that died anywhere be gone on with.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from functions.provision_stage.admission import copy_artifacts
from functions.provision_stage.previous import keep_stack
from tidegate.adapters.changes import Change, drive
from tidegate.adapters.documents import stage_prefix
from tidegate.adapters.stacks import find_change_set
from tidegate.adapters.stored_templates import bring_template
from tidegate.domain.errors import ChangeSetFailed
from tidegate.domain.undo import ChangeMark

if TYPE_CHECKING:
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.plans import StackUpdate, StagePlan
    from tidegate.task import Tools


def apply_updates(ref: ReleaseRef, plan: StagePlan, tools: Tools) -> bool:
    """One step towards the planned stack; True once it is there.

    What an undo goes back to is kept between the adoption and the release's own update, so that it takes no
    alias away. Raises ChangeSetFailed as `drive` does, and where the stack is not the one that was planned.
    """
    prefix = stage_prefix(ref, plan.stage)
    last = plan.updates[-1]
    for update in plan.updates:
        ended = f"{prefix}{update.name}-ended.json"
        if tools.documents.find(ended, ChangeMark) is not None:
            continue
        if update is plan.updates[0] and not _is_as_planned(ref, plan, tools):
            message = (
                f"stack {plan.stack_name} was changed by somebody else after the plan; retry the release"
            )
            raise ChangeSetFailed(message)
        if update is last:
            copy_artifacts(ref, plan.stage, tools)
        keep_stack(ref, plan, "previous" if update is last else "original", tools)
        change = _describe(ref, plan, update, tools)
        stage = tools.stage(plan.stage)
        bring = partial(bring_template, tools.documents, stage.documents, update.template)
        if not drive(stage.cloudformation, tools.documents, change, bring):
            return False
        tools.documents.write(ended, ChangeMark(change_set=update.change_set))
    return True


def _is_as_planned(ref: ReleaseRef, plan: StagePlan, tools: Tools) -> bool:
    """Whether the stack is the one that the plan was made of, or the first update has begun already.

    Asked in this order: beginning makes the planned change set obsolete.
    """
    client = tools.stage(plan.stage).cloudformation
    planned = find_change_set(client, plan.stack_name, plan.change_set or "")
    if planned is not None and planned.execution == "AVAILABLE":
        return True
    begun = _mark(ref, plan, plan.updates[0])
    return tools.documents.find(begun, ChangeMark) is not None


def _mark(ref: ReleaseRef, plan: StagePlan, update: StackUpdate) -> str:
    return f"{stage_prefix(ref, plan.stage)}{update.name}-begun.json"


def _describe(ref: ReleaseRef, plan: StagePlan, update: StackUpdate, tools: Tools) -> Change:
    stage = tools.stage(plan.stage)
    return Change(
        stack=plan.stack_name,
        name=update.change_set,
        purpose=f"the update {update.name!r}",
        template_url=stage.documents.url(update.template),
        parameters=update.parameters,
        capabilities=update.capabilities,
        role=stage.target.cloudformation_role,
        mark=_mark(ref, plan, update),
    )
