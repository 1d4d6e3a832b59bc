"""ShiftTraffic: give the new versions of all changed functions their weight, together."""

from __future__ import annotations

from functions.shift_traffic.weights import give_weight
from tidegate.adapters.plans import find_rollout, read_plan
from tidegate.adapters.trials import read_trial, write_trial
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.domain.rollouts import Rollout, Shift, first_look, pace
from tidegate.domain.strategies import ALL
from tidegate.domain.trials import begin_shift, end_shift
from tidegate.domain.wording import list_names
from tidegate.task import Tools, task


class Request(Frozen):
    """`weight` in percent; `step` counts the shifts of the stage from 0."""

    release: ReleaseRef
    stage: str
    weight: float
    step: int


class Response(Frozen):
    """The shift as it was made, and how long to observe it, in seconds."""

    shift: Shift
    wait_seconds: int


def handle(request: Request, tools: Tools) -> Response:
    """Record the decision, then write the aliases: if this dies in between, the rollback knows of it.

    When the writes began and ended is kept, since requests in between are nobody's evidence.
    """
    release, stage, weight = request.release, request.stage, request.weight
    rollout = find_rollout(tools.documents, release, stage) or Rollout(stage=stage, functions=())
    config = pace(read_plan(tools.documents, release).stage(stage).config, tools.settings.pace)
    names = list_names([function.logical_id for function in rollout.functions])
    what = f"shifting {weight:g} % to the new version of {names}" if weight < ALL else f"promoting {names}"
    tools.record(
        release, "ShiftTraffic", what, stage=stage, key=f"{request.step}", evidence={"weight": weight}
    )
    trial = begin_shift(read_trial(tools.documents, release, stage), request.step, weight, tools.now())
    trial = write_trial(tools.documents, release, stage, trial)
    # What has been written already is read, and not written again.
    known = {} if trial.shifts[-1].made else {**rollout.revisions, **trial.revisions}
    before = trial.shifts[-2].weight if len(trial.shifts) > 1 else 0
    revisions = give_weight(release, rollout, (before, weight), known, tools)
    trial = end_shift(trial, tools.now(), revisions)
    write_trial(tools.documents, release, stage, trial)
    message = f"{release.service}: release {release.id} in {stage}: {what}"
    tools.bus.publish("Traffic Shifted", release, message, stage=stage, weight=weight)
    seconds = min(config.bake or 0, 2 * trial.delay) if weight == ALL else first_look(trial.delay)
    return Response(shift=trial.shifts[-1], wait_seconds=tools.settings.wait(seconds))


handler = task(Request, handle)
