"""The gauges of a rollout, found in the template as it was applied, and set by the hour before it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tidegate.adapters.documents import stage_prefix
from tidegate.adapters.gauges import find_gauges, read_account_limit, set_gauges, write_gauges
from tidegate.adapters.stacks import find_stack, list_resources
from tidegate.domain.gauges import Gauges
from tidegate.domain.neighbours import Surroundings, make_gauges
from tidegate.domain.templates.surroundings import find_surroundings
from tidegate.domain.templates.values import Values, name_surroundings

if TYPE_CHECKING:
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.plans import StagePlan
    from tidegate.domain.rollouts import Rollout
    from tidegate.task import Tools


def place_gauges(ref: ReleaseRef, plan: StagePlan, rollout: Rollout, tools: Tools) -> Gauges:
    """Find, set and keep them; those that are set already are what a retry goes on with."""
    standing = find_gauges(tools.documents, ref, rollout.stage)
    if standing is not None:
        return standing
    stage, period = tools.stage(rollout.stage), tools.settings.metric_period
    around = _look_around(ref, plan, rollout, tools)
    around = around.model_copy(update={"account": read_account_limit(stage.functions)})
    end = int(tools.now().timestamp()) // period * period
    gauges = make_gauges(rollout.functions, around)
    found = Gauges(gauges=set_gauges(stage.cloudwatch, gauges, end, period), unread=around.unread)
    write_gauges(tools.documents, ref, rollout.stage, found)
    return found


def _look_around(ref: ReleaseRef, plan: StagePlan, rollout: Rollout, tools: Tools) -> Surroundings:
    """What stands around the functions, by the template that was applied."""
    prefix = stage_prefix(ref, plan.stage)
    body = tools.documents.find_bytes(f"{prefix}{'held-' if plan.exact else ''}template.json")
    client = tools.stage(plan.stage).cloudformation
    state = find_stack(client, plan.stack_name) if body is not None else None
    if body is None or state is None:
        return Surroundings(unread=("no template of the stage is known",))
    template: dict[str, Any] = json.loads(body)
    standing = list_resources(client, plan.stack_name)
    around = name_surroundings(plan.account, plan.region, plan.stack_name)
    values = Values(template, state.parameters, standing, around)
    functions = {function.name: function.logical_id for function in rollout.functions}
    return find_surroundings(template, values, functions, standing, (plan.account, plan.region))
