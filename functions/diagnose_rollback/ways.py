"""The way back to a release: its healthy state in every stage asked for, and versions that can still serve.

A version that was idle for weeks is Inactive: a request to it fails, and makes Lambda set it up again (AWS
Lambda Developer Guide, "Lambda function states"). So it is woken before traffic moves to it, by a request
that Lambda refuses without running any code.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tidegate.adapters.aliases import find_version, wake
from tidegate.adapters.healthy import list_ways
from tidegate.adapters.threads import side_by_side
from tidegate.domain.errors import VersionsPending
from tidegate.domain.healthy import Healthy
from tidegate.domain.wording import list_names

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

    from tidegate.domain.healthy import HealthyFunction
    from tidegate.domain.triggers import OperatorAsked
    from tidegate.task import Tools

Way = dict[str, tuple[str, Healthy]]


def find_way(trigger: OperatorAsked, tools: Tools) -> Way | str:
    """Key and state of the release by stage, or why there is no way, with where one can go instead."""
    names = [target.name for target in tools.settings.stages]
    unknown = [stage for stage in trigger.stages if stage not in names]
    if unknown:
        return f"there is no stage {list_names(unknown)}; the stages are {list_names(names)}"
    way: Way = {}
    for stage in trigger.stages or names:
        found = list_ways(tools.ledger, tools.documents, trigger.service, stage)
        if trigger.to not in found:
            known = ", ".join(found) or "no release yet"
            return f"{stage} cannot go back to {trigger.to}: it can go to {known}"
        way[stage] = found[trigger.to]
    return way


def find_obstacle(way: Way, tools: Tools) -> str:
    """The versions that cannot serve any more; empty where all can.

    Raises VersionsPending where one is only asleep, or still being set up.
    """
    problems: list[str] = []
    pending: list[str] = []
    for stage, (_, healthy) in way.items():
        client = tools.stage(stage).functions
        functions = list(healthy.functions.values())
        states = side_by_side(partial(_look, client), functions)
        for function, state in zip(functions, states, strict=True):
            if state == "Pending":
                pending.append(f"{function.name} version {function.version}")
            elif state != "Active":
                problems.append(f"{function.name} version {function.version} in {stage} is {state}")
    if pending and not problems:
        message = f"waiting until {list_names(pending)} can serve again"
        raise VersionsPending(message)
    return list_names(problems)


def _look(client: LambdaClient, function: HealthyFunction) -> str:
    """`Active`, `Pending`, or what is wrong."""
    found = find_version(client, function.name, function.version)
    if found is None:
        return "gone"
    if found.state == "Inactive":
        wake(client, function.name, function.version)
        return "Pending"
    return found.state if found.state in {"Active", "Pending"} else f"{found.state}: {found.reason}"
