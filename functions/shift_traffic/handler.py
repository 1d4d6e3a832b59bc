"""ShiftTraffic: give the new versions of all changed functions their weight, together."""

from __future__ import annotations

from tidegate.adapters.aliases import AliasWriter
from tidegate.adapters.plans import find_rollout, read_plan
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.domain.rollouts import ALL, Rollout, Shift, first_look, pace, point
from tidegate.domain.wording import list_names
from tidegate.task import Tools, task


class Request(Frozen):
    """`weight` in percent; `step` counts the shifts of the stage from 0."""

    release: ReleaseRef
    stage: str
    weight: int
    step: int


class Response(Frozen):
    """The shift as it was made, and how long to observe it, in seconds."""

    shift: Shift
    wait_seconds: int


def handle(request: Request, tools: Tools) -> Response:
    """Record the decision, then write the aliases: if this dies in between, the rollback knows of it."""
    release, stage, weight = request.release, request.stage, request.weight
    rollout = find_rollout(tools.documents, release, stage) or Rollout(stage=stage, functions=())
    config = pace(read_plan(tools.documents, release).stage(stage).config, tools.settings.pace)
    names = list_names([function.logical_id for function in rollout.functions])
    what = f"shifting {weight} % to the new version of {names}" if weight < ALL else f"promoting {names}"
    tools.record(
        release, "ShiftTraffic", what, stage=stage, key=f"{request.step}", evidence={"weight": weight}
    )
    writer = AliasWriter(tools.stage(stage).functions, tools.ledger, release)
    for function in rollout.functions:
        writer.point(function, point(function, weight))
    message = f"{release.service}: release {release.id} in {stage}: {what}"
    tools.bus.publish("Traffic Shifted", release, message, stage=stage, weight=weight)
    shift = Shift(step=request.step, weight=weight, at=tools.now())
    first = first_look(config, shift.at, tools.settings.metric_period)
    seconds = (config.bake or 0) if weight == ALL else first
    return Response(shift=shift, wait_seconds=tools.settings.wait(seconds))


handler = task(Request, handle)
