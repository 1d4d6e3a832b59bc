"""The side stacks with the alarms: there before the first shift, and fresh for every release."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from tidegate.adapters.documents import stage_prefix
from tidegate.adapters.stacks import create, delete, find_stack
from tidegate.domain.errors import ChangeSetFailed
from tidegate.domain.guards import GuardedAlias, GuardStack, build_guards

if TYPE_CHECKING:
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.plans import StagePlan
    from tidegate.task import StageTools, Tools

RELEASE_TAG: Final = "tidegate:release"


def arm(ref: ReleaseRef, plan: StagePlan, tools: Tools) -> bool:
    """One step towards armed alarms; True once every side stack of the release is there."""
    aliases = [
        GuardedAlias(logical_id=f.logical_id, function_name=f.function_name, alias=f.alias)
        for f in plan.canaried
    ]
    period = tools.settings.metric_period
    stacks = build_guards(ref.service, plan.stage, aliases, plan.config.alarms, period)
    armed = [_arm_one(ref, plan, stack, tools.stage(plan.stage)) for stack in stacks]
    return all(armed)


def _arm_one(ref: ReleaseRef, plan: StagePlan, stack: GuardStack, stage: StageTools) -> bool:
    """Create the side stack; one that an earlier release left behind is deleted first."""
    client, role = stage.cloudformation, stage.target.cloudformation_role
    found = find_stack(client, stack.name)
    if found is None:
        # Given inline, a template may have 51,200 bytes: 27 functions.
        key = f"{stage_prefix(ref, plan.stage)}{stack.name}.json"
        stage.documents.write_bytes(key, json.dumps(stack.template).encode(), "application/json")
        create(client, stack.name, stage.documents.url(key), role, {RELEASE_TAG: ref.id})
        return False
    if found.is_busy:
        return False
    if found.tags.get(RELEASE_TAG) != ref.id:
        delete(client, stack.name, role)
        return False
    if not found.is_healthy:
        message = f"the alarms of {stack.name} could not be made: {found.status} {found.reason}"
        raise ChangeSetFailed(message)
    return True
