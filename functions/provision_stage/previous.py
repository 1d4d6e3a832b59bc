"""What comes before an update of the service's stack: what it was is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tidegate.adapters.documents import stage_prefix
from tidegate.adapters.stacks import find_stack, read_template
from tidegate.domain.undo import PreviousStack

if TYPE_CHECKING:
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.plans import StagePlan
    from tidegate.task import Tools


def is_kept(ref: ReleaseRef, plan: StagePlan, name: Literal["previous", "original"], tools: Tools) -> bool:
    """Whether the stack as it was has been kept under that name."""
    return tools.documents.exists(f"{stage_prefix(ref, plan.stage)}{name}.json")


def keep_stack(ref: ReleaseRef, plan: StagePlan, name: Literal["previous", "original"], tools: Tools) -> None:
    """Keep the stack as it is, once: a retry must not take what the update has made of it."""
    if not is_kept(ref, plan, name, tools):
        tools.documents.write(f"{stage_prefix(ref, plan.stage)}{name}.json", _remember(plan, tools))


def _remember(plan: StagePlan, tools: Tools) -> PreviousStack:
    client = tools.stage(plan.stage).cloudformation
    state = None if plan.creates_stack else find_stack(client, plan.stack_name)
    if state is None:
        return PreviousStack(stack_name=plan.stack_name, existed=False)
    return PreviousStack(
        stack_name=plan.stack_name,
        existed=True,
        template=read_template(client, plan.stack_name, processed=True),
        parameters=state.parameters,
        capabilities=state.capabilities,
    )
