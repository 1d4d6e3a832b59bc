"""SmokeTest: the new versions invoked at 0 % traffic, with events that the service declares safe for it."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Final

from functions.smoke_test.probes import choose_probes
from tidegate.adapters.plans import find_rollout, read_plan, read_snapshot
from tidegate.adapters.probing import ask, invoke
from tidegate.adapters.threads import AT_ONCE, side_by_side
from tidegate.domain.errors import SmokeFailed
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.domain.rollouts import Rollout
from tidegate.task import Tools, task

if TYPE_CHECKING:
    from tidegate.adapters.probing import Probe
    from tidegate.task import StageTools

LONGEST: Final = 800  # seconds of the 890 that this task has
LEAST: Final = 30


class Request(Frozen):
    """The release and the stage."""

    release: ReleaseRef
    stage: str


class Response(Frozen):
    """How many invocations were made."""

    invocations: int


def handle(request: Request, tools: Tools) -> Response:
    """Every probe must succeed; a production function without a declared event is not invoked."""
    release, stage = request.release, request.stage
    tools.ledger.check_epoch(release)
    plan = read_plan(tools.documents, release).stage(stage)
    rollout = find_rollout(tools.documents, release, stage) or Rollout(stage=stage, functions=())
    probes = choose_probes(plan, rollout, read_snapshot(tools.documents, release), release, tools)
    side_by_side(partial(check, tools.stage(stage), choose_patience(len(probes))), probes)
    what = (
        f"{len(probes)} smoke invocations passed"
        if probes
        else "no event is declared safe: nothing was invoked"
    )
    events = [f"{probe.function}: {probe.name}" for probe in probes]
    tools.record(release, "SmokeTest", what, stage=stage, evidence={"events": events})
    return Response(invocations=len(probes))


def choose_patience(probes: int) -> int:
    """How many seconds one invocation may take, so that all of them end before this one does."""
    return max(LEAST, LONGEST // max(1, math.ceil(probes / AT_ONCE)))


def check(stage: StageTools, patience: int, probe: Probe) -> None:
    """Invoke once and wait so long; where Lambda itself had no answer, as often as its client tries."""
    answer = ask(stage.probing(patience), probe, patience) or invoke(stage.functions, probe)
    if answer.failure:
        message = f"{probe.function} version {probe.qualifier} with {probe.name}: {answer.failure}"
        raise SmokeFailed(message)


handler = task(Request, handle)
