"""SmokeTest: the new versions invoked at 0 % traffic, with events that the service declares safe for it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from functions.smoke_test.probes import choose_probes
from tidegate.adapters.plans import find_rollout, read_plan, read_snapshot
from tidegate.adapters.probing import invoke
from tidegate.adapters.threads import side_by_side
from tidegate.domain.errors import SmokeFailed
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.domain.rollouts import Rollout
from tidegate.task import Tools, task

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

    from tidegate.adapters.probing import Probe


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
    side_by_side(partial(_check, tools.stage(stage).functions), probes)
    what = (
        f"{len(probes)} smoke invocations passed"
        if probes
        else "no event is declared safe: nothing was invoked"
    )
    events = [f"{probe.function}: {probe.name}" for probe in probes]
    tools.record(release, "SmokeTest", what, stage=stage, evidence={"events": events})
    return Response(invocations=len(probes))


def _check(client: LambdaClient, probe: Probe) -> None:
    answer = invoke(client, probe)
    if answer.failure:
        message = f"{probe.function} version {probe.qualifier} with {probe.name}: {answer.failure}"
        raise SmokeFailed(message)


handler = task(Request, handle)
