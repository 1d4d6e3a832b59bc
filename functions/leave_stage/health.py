"""What a stage runs as it is left: every alias of its stack with its version, and the stack itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.leave_stage.provisioning import note_provided
from tidegate.adapters.aliases import find_version
from tidegate.adapters.documents import stage_prefix
from tidegate.adapters.healthy import find_healthy
from tidegate.adapters.plans import find_rollout, read_snapshot
from tidegate.adapters.stack_trees import list_aliases
from tidegate.adapters.stacks import find_stack, read_template
from tidegate.adapters.threads import side_by_side
from tidegate.domain.healthy import Healthy, HealthyFunction
from tidegate.domain.undo import PreviousStack

if TYPE_CHECKING:
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.plans import StagePlan
    from tidegate.task import Tools


def describe_health(ref: ReleaseRef, plan: StagePlan, tools: Tools) -> Healthy:
    """The stage's healthy state. A function that the template has lost is no part of it."""
    snapshot = read_snapshot(tools.documents, ref)
    before = find_healthy(tools.ledger, tools.documents, ref.service, plan.stage)
    stack = _keep_stack(ref, plan, tools)
    known = _list_known(ref, plan, before, tools)
    return Healthy(
        stage=plan.stage,
        release_id=ref.id,
        artifacts={function.logical_id: function.artifact for function in snapshot.functions},
        functions=_list_functions(known, plan, tools) if stack else known,
        stack=stack,
        provided=note_provided(before.provided if before else {}, plan),
    )


def _list_known(
    ref: ReleaseRef, plan: StagePlan, before: Healthy | None, tools: Tools
) -> dict[str, HealthyFunction]:
    """The functions that were known before, with the versions of those that shifted now."""
    rollout = find_rollout(tools.documents, ref, plan.stage)
    shifted = {
        f.logical_id: HealthyFunction(name=f.name, alias=f.alias, version=f.canary, log_group=f.log_group)
        for f in (rollout.functions if rollout else ())
    }
    return {**(before.functions if before else {}), **shifted}


def _list_functions(
    known: dict[str, HealthyFunction], plan: StagePlan, tools: Tools
) -> dict[str, HealthyFunction]:
    """Every alias of the stack; Lambda is asked only about those that nobody knows yet.

    One that somebody has deleted meanwhile is no part of it; the next preflight names it.
    """
    stage = tools.stage(plan.stage)
    client = stage.functions
    aliases = list_aliases(stage.cloudformation, plan.stack_name, plan.children)

    def describe(logical_id: str) -> HealthyFunction | None:
        name, alias = aliases[logical_id]
        found = known.get(logical_id)
        if found is not None and (found.name, found.alias) == (name, alias):
            return found
        state = find_version(client, name, alias)
        if state is None:
            return None
        return HealthyFunction(name=name, alias=alias, version=state.version, log_group=state.log_group)

    found = zip(aliases, side_by_side(describe, aliases), strict=True)
    return {logical_id: function for logical_id, function in found if function is not None}


def _keep_stack(ref: ReleaseRef, plan: StagePlan, tools: Tools) -> str:
    """The key of the stack as it is; empty where there is none."""
    client = tools.stage(plan.stage).cloudformation
    state = find_stack(client, plan.stack_name)
    if state is None:
        return ""
    key = f"{stage_prefix(ref, plan.stage)}healthy-stack.json"
    stack = PreviousStack(
        stack_name=plan.stack_name,
        existed=True,
        template=read_template(client, plan.stack_name, processed=True),
        parameters=state.parameters,
        capabilities=state.capabilities,
    )
    tools.documents.write(key, stack)
    return key
