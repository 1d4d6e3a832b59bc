"""The alarms that an operator has set as limits, by the names that they have in the stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.adapters.stack_trees import list_resources

if TYPE_CHECKING:
    from tidegate.domain.plans import StagePlan
    from tidegate.task import Tools


def resolve_limits(plan: StagePlan, tools: Tools) -> tuple[str, ...]:
    """Names of alarms; one of the template itself has its name from the stack, which is up to date by now.

    One that the stack does not have keeps its logical id, which no alarm has as its name: the judge holds.
    """
    if not plan.limits or not plan.canaried:
        return ()
    standing = {}
    if any(limit.logical_id for limit in plan.limits):
        client = tools.stage(plan.stage).cloudformation
        standing = list_resources(client, plan.stack_name, plan.children)
    named = (limit.name or standing.get(limit.logical_id, limit.logical_id) for limit in plan.limits)
    return tuple(sorted(set(named)))
