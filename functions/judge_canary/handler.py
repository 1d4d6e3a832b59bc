"""JudgeCanary: one look at the new version beside the stable one, over the same minutes."""

from __future__ import annotations

from functions.judge_canary.evidence import look
from functions.judge_canary.gauges import check_gauges
from functions.judge_canary.limits import check_limits
from tidegate.adapters.plans import find_rollout, read_plan
from tidegate.adapters.trials import read_trial
from tidegate.domain.errors import CanaryFailed, InsufficientEvidence
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.domain.judging import Status
from tidegate.domain.rollouts import Move, Rollout, move_on, pace, tell_end
from tidegate.domain.strategies import ALL
from tidegate.task import Tools, task


class Request(Frozen):
    """The stage whose newest shift is to be judged."""

    release: ReleaseRef
    stage: str


class Response(Frozen):
    """The move; `weight` in percent where it is a shift, `wait_seconds` where it is a hold."""

    next: Move
    weight: float
    wait_seconds: int
    reason: str


def handle(request: Request, tools: Tools) -> Response:
    """The next move; a verdict to roll back leaves as CanaryFailed, silence as InsufficientEvidence."""
    release, stage = request.release, request.stage
    tools.ledger.check_epoch(release)
    plan = read_plan(tools.documents, release)
    config = pace(plan.stage(stage).config, tools.settings.pace)
    rollout = find_rollout(tools.documents, release, stage) or Rollout(stage=stage, functions=())
    trial = read_trial(tools.documents, release, stage)
    limited = check_limits(release, rollout, trial, tools)
    verdict = None
    if trial.shifts[-1].weight != ALL:
        verdict, trial = look(release, rollout, trial, plan, limited, tools)
        if verdict.status is Status.ROLLBACK:
            tools.bus.publish("Verdict Reached", release, f"{release.service}: {verdict.reason}", stage=stage)
            raise CanaryFailed(verdict.reason)
    else:
        check_gauges(release, stage, trial, config.signals, tools)
    strategy = config.rollout.pace(tools.settings.pace)
    move = move_on(config, strategy, trial.shifts, verdict, tools.now(), trial.delay)
    if move is None:
        raise InsufficientEvidence(tell_end(verdict, config))
    if move.by_policy:
        key = f"policy#{trial.shifts[-1].step}"
        evidence = {"policy": config.on_insufficient_evidence, "weight": trial.shifts[-1].weight}
        tools.record(release, "JudgeCanary", move.reason, stage=stage, key=key, evidence=evidence)
    if move.next is Move.SHIFT:
        tools.bus.publish("Verdict Reached", release, f"{release.service}: {move.reason}", stage=stage)
    wait = tools.settings.wait(move.wait)
    return Response(next=move.next, weight=move.weight, wait_seconds=wait, reason=move.reason)


handler = task(Request, handle)
