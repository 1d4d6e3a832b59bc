"""JudgeCanary: one look at the new version beside the stable one, over the same minutes."""

from __future__ import annotations

from functions.judge_canary.evidence import look
from tidegate.adapters.plans import find_rollout, read_plan
from tidegate.domain.errors import CanaryFailed, InsufficientEvidence
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.domain.judge import Status
from tidegate.domain.rollouts import Move, Rollout, Shift, move_on, pace
from tidegate.task import Tools, task


class Request(Frozen):
    """The shift to judge, as ShiftTraffic made it."""

    release: ReleaseRef
    stage: str
    shift: Shift


class Response(Frozen):
    """The move; `weight` where it is a shift, `wait_seconds` where it is a hold."""

    next: Move
    weight: int
    wait_seconds: int
    reason: str


def handle(request: Request, tools: Tools) -> Response:
    """The next move; a verdict to roll back leaves as CanaryFailed, silence as InsufficientEvidence."""
    release, stage, shift = request.release, request.stage, request.shift
    tools.ledger.check_epoch(release)
    config = pace(read_plan(tools.documents, release).stage(stage).config, tools.settings.pace)
    rollout = find_rollout(tools.documents, release, stage) or Rollout(stage=stage, functions=())
    now = tools.now()
    verdict = look(request.release, rollout, shift, config, now, tools)
    if verdict is not None and verdict.status is Status.ROLLBACK:
        tools.bus.publish("Verdict Reached", release, f"{release.service}: {verdict.reason}", stage=stage)
        raise CanaryFailed(verdict.reason)
    move = move_on(config, shift, verdict, now, tools.settings.metric_period)
    if move is None:
        message = (
            f"{verdict.reason if verdict else ''}; the longest hold of {config.longest_hold:g} s has passed"
        )
        raise InsufficientEvidence(message)
    if move.next is Move.SHIFT:
        tools.bus.publish("Verdict Reached", release, f"{release.service}: {move.reason}", stage=stage)
    wait = tools.settings.wait(move.wait)
    return Response(next=move.next, weight=move.weight, wait_seconds=wait, reason=move.reason)


handler = task(Request, handle)
