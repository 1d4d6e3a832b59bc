"""The service's stack: what it was is kept for an undo, artifacts are brought near, then it is changed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tidegate.adapters.changes import advance
from tidegate.adapters.documents import stage_prefix
from tidegate.adapters.plans import read_snapshot
from tidegate.adapters.stacks import find_stack, read_template
from tidegate.domain.undo import PreviousStack

if TYPE_CHECKING:
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.plans import StagePlan
    from tidegate.task import Tools


def apply(ref: ReleaseRef, plan: StagePlan, tools: Tools) -> bool:
    """One step towards the planned stack; True once it is there."""
    client = tools.stage(plan.stage).cloudformation
    key = f"{stage_prefix(ref, plan.stage)}previous.json"
    if tools.documents.find(key, PreviousStack) is None:
        copy_artifacts(ref, plan.stage, tools)
        tools.documents.write(key, remember(plan, tools))
    return advance(client, plan.stack_name, plan.change_set or "")


def remember(plan: StagePlan, tools: Tools) -> PreviousStack:
    """The stack before this release touches it."""
    client = tools.stage(plan.stage).cloudformation
    state = None if plan.creates_stack else find_stack(client, plan.stack_name)
    if state is None:
        return PreviousStack(stack_name=plan.stack_name, existed=False)
    return PreviousStack(
        stack_name=plan.stack_name,
        existed=True,
        template=read_template(client, plan.stack_name),
        parameters=state.parameters,
        capabilities=state.capabilities,
    )


def copy_artifacts(ref: ReleaseRef, stage: str, tools: Tools) -> None:
    """Bring what the stage's own bucket lacks of the release's artifacts and packages."""
    snapshot = read_snapshot(tools.documents, ref)
    keys = {f"artifacts/{function.artifact}.zip" for function in snapshot.functions}
    keys |= {package.key for package in snapshot.packages}
    target = tools.stage(stage).documents
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda key: target.copy_from(tools.documents, key), sorted(keys)))
