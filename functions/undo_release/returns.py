"""The stacks of an order to go back: to that release's template where it is safe, else left and named."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from functions.undo_release.flags import return_flags
from tidegate.adapters.changes import Change, check_operable, drive
from tidegate.adapters.documents import stage_prefix
from tidegate.adapters.healthy import find_stack_return, write_stack_return
from tidegate.adapters.stacks import delete_change_set, find_change_set
from tidegate.adapters.stored_templates import check_children
from tidegate.domain.errors import ArtifactAltered, ChangeSetFailed
from tidegate.domain.healthy import Healthy, StackReturn
from tidegate.domain.returns import find_obstacles
from tidegate.domain.templates.tree import has_children
from tidegate.domain.undo import ChangeMark, PreviousStack

if TYPE_CHECKING:
    from tidegate.domain.healthy import GoingBack
    from tidegate.domain.identity import ReleaseRef
    from tidegate.task import Tools


def return_stacks(ref: ReleaseRef, going: GoingBack, tools: Tools) -> bool:
    """One step; True once it is decided of every stage's stack whether it is back or left."""
    return all(_return_stack(ref, stage, going, tools) for stage in reversed(going.healthy))


def describe_returns(ref: ReleaseRef, going: GoingBack, tools: Tools) -> list[str]:
    """What became of each stack, a sentence each."""
    found = [find_stack_return(tools.documents, ref, stage) for stage in going.healthy]
    return [
        f"stack {one.stack_name} is left as it is: {'; '.join(one.left)}"
        if one.left
        else f"stack {one.stack_name} is back on the template of {going.target.id}"
        for one in found
        if one is not None
    ]


def _return_stack(ref: ReleaseRef, stage: str, going: GoingBack, tools: Tools) -> bool:
    documents = tools.documents
    if find_stack_return(documents, ref, stage) is not None:
        return True
    healthy = documents.read(going.healthy[stage], Healthy)
    stack = documents.find(healthy.stack, PreviousStack) if healthy.stack else None
    if stack is None:
        left: tuple[str, ...] | None = (f"its template of {going.target.id} is not kept",)
        name = f"of {stage}"
    else:
        left, name = _step(ref, stage, going, stack, tools), stack.stack_name
    if left is not None:
        write_stack_return(documents, ref, stage, StackReturn(stack_name=name, left=left))
    return left is not None


def _step(
    ref: ReleaseRef, stage: str, going: GoingBack, stack: PreviousStack, tools: Tools
) -> tuple[str, ...] | None:
    """One step of the update; None while it goes on, then why the stack is left, nothing where it is back."""
    client = tools.stage(stage).cloudformation
    change = _describe(ref, stage, stack, tools)
    state = check_operable(client, stack.stack_name)
    if state is None:
        return ("somebody has deleted it",)
    if state.is_busy:
        return None
    if tools.documents.find(change.mark, ChangeMark) is None:
        found = find_change_set(client, change.stack, change.name)
        obstacles = find_obstacles(found.changes) if found is not None and not found.is_pending else ()
        if obstacles:
            delete_change_set(client, change.stack, change.name)
            return obstacles
        if found is not None and found.status != "FAILED" and not found.is_pending:
            return_flags(ref, stage, going, tools, change.mark)
    try:
        bring = partial(_upload, ref, stage, stack, tools)
        return () if drive(client, tools.documents, change, bring) else None
    except (ArtifactAltered, ChangeSetFailed) as error:
        return (str(error),)


def _template_key(ref: ReleaseRef, stage: str) -> str:
    return f"{stage_prefix(ref, stage)}target-template.json"


def _upload(ref: ReleaseRef, stage: str, stack: PreviousStack, tools: Tools) -> None:
    documents, body = tools.stage(stage).documents, stack.template.encode()
    documents.write_bytes(_template_key(ref, stage), body, "application/json")
    check_children(documents, body)


def _describe(ref: ReleaseRef, stage: str, stack: PreviousStack, tools: Tools) -> Change:
    tools_of_stage = tools.stage(stage)
    return Change(
        stack=stack.stack_name,
        name=f"tidegate-back-{ref.id}",
        purpose="the way back",
        template_url=tools_of_stage.documents.url(_template_key(ref, stage)),
        parameters=stack.parameters,
        capabilities=stack.capabilities,
        role=tools_of_stage.target.cloudformation_role,
        mark=f"{stage_prefix(ref, stage)}back.json",
        nested=has_children(stack.template),
    )
