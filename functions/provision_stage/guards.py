"""The side stacks with the alarms: there before the first shift, and fresh for every release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.domain.guards import GuardedAlias, build_guards

if TYPE_CHECKING:
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.plans import StagePlan
    from tidegate.task import Tools


def arm(ref: ReleaseRef, plan: StagePlan, tools: Tools) -> bool:
    """One step towards armed alarms; True once every side stack of the release is there."""
    aliases = [
        GuardedAlias(logical_id=f.logical_id, function_name=f.function_name, alias=f.alias)
        for f in plan.canaried
    ]
    period = tools.settings.metric_period
    side = tools.side_stacks(ref, plan.stage)
    stacks = build_guards(ref.service, plan.stage, aliases, plan.config.alarms, period)
    armed = [side.stand_up(stack) for stack in stacks]
    return all(armed)
