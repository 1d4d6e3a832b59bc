"""The gauges of a rollout, found in the template as it was applied, and set by the hour before it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tidegate.adapters.gauges import find_gauges, read_account_limit, set_gauges, write_gauges
from tidegate.adapters.stack_trees import read_standing
from tidegate.adapters.stacks import find_stack
from tidegate.domain.gauges import Gauges
from tidegate.domain.neighbours import Surroundings, make_gauges
from tidegate.domain.nesting import qualify
from tidegate.domain.templates.surroundings import find_surroundings
from tidegate.domain.templates.values import Values, name_surroundings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidegate.adapters.stack_trees import StandingStack
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
    around = _look_around(plan, rollout, tools)
    around = around.model_copy(update={"account": read_account_limit(stage.functions)})
    end = int(tools.now().timestamp()) // period * period
    gauges = make_gauges(rollout.functions, around)
    found = Gauges(gauges=set_gauges(stage.cloudwatch, gauges, end, period), unread=around.unread)
    write_gauges(tools.documents, ref, rollout.stage, found)
    return found


def _look_around(plan: StagePlan, rollout: Rollout, tools: Tools) -> Surroundings:
    """What stands around the functions, by the templates that were applied."""
    client = tools.stage(plan.stage).cloudformation
    if find_stack(client, plan.stack_name) is None:
        return Surroundings(unread=("no template of the stage is known",))
    standing = read_standing(client, plan.stack_name, plan.children)
    functions = {function.name: function.logical_id for function in rollout.functions}
    found = [_look_in(path, plan, standing, functions) for path in standing]
    return Surroundings(
        neighbours=tuple(one for around in found for one in around.neighbours),
        reserved={key: value for around in found for key, value in around.reserved.items()},
        unread=tuple(dict.fromkeys(one for around in found for one in around.unread)),
    )


def _look_in(
    path: str, plan: StagePlan, standing: Mapping[str, StandingStack], functions: Mapping[str, str]
) -> Surroundings:
    """What one stack of the tree tells."""
    stack = standing[path]
    template: dict[str, Any] = json.loads(stack.template)
    around = name_surroundings(plan.account, plan.region, stack.state.name)

    def read_output(logical_id: str, name: str) -> str | None:
        child = standing.get(qualify(path, logical_id))
        return child.state.outputs.get(name) if child else None

    values = Values(
        template, stack.state.parameters, stack.physical_ids, around, path=path, outputs=read_output
    )
    place = (plan.account, plan.region)
    return find_surroundings(template, values, functions, stack.physical_ids, place)
