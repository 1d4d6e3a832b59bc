"""A look: what is new since the last one, the judge's verdict on all of it, and its ledger entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tidegate.adapters.observing import observe as read
from tidegate.adapters.plans import read_snapshot
from tidegate.adapters.trials import write_trial
from tidegate.domain.judging import Moment, Status, decide, forget, observe
from tidegate.domain.observing import Terms
from tidegate.domain.rollouts import is_unmixed, pace
from tidegate.domain.trials import MEMORY, make_policy, summarize

if TYPE_CHECKING:
    from datetime import datetime

    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.judging import Verdict
    from tidegate.domain.plans import Plan
    from tidegate.domain.rollouts import Rollout
    from tidegate.domain.trials import Trial
    from tidegate.task import Tools

QUIET: Final = 60  # seconds after which a verdict that says the same again is told again


def look(
    ref: ReleaseRef, rollout: Rollout, trial: Trial, plan: Plan, note: str, tools: Tools
) -> tuple[Verdict, Trial]:
    """The verdict at this moment, and the trial with what it has read; both are kept."""
    now, factor = tools.now(), tools.settings.pace
    config = pace(plan.stage(rollout.stage).config, factor)
    found, cursor = read(
        tools.stage(rollout.stage),
        ref,
        rollout.functions,
        trial.weights,
        trial.cursor,
        now,
        Terms(
            thresholds=trial.thresholds,
            mark=read_snapshot(tools.documents, ref).config.failure_mark,
            period=tools.settings.metric_period,
            pace=factor,
        ),
    )
    policy = make_policy(config, plan.shifting)
    state = forget(trial.state, now.timestamp() - MEMORY)
    state = observe(state, (b for b in found.batches if is_unmixed(b.at, b.seconds, trial.shifts)), policy)
    moment = Moment(now=now.timestamp(), delay=found.delay, holds=found.holds)
    verdict = decide(state, policy, moment)
    if note:
        verdict = verdict.model_copy(update={"reason": verdict.reason + note})
    told = _is_news(trial, verdict, now, QUIET * factor)
    said = {"said": verdict.status, "said_at": now} if told else {}
    trial = trial.model_copy(update={"state": state, "cursor": cursor, "delay": found.delay, **said})
    if told:
        _record(ref, rollout, trial, verdict, found.source, tools)
    write_trial(tools.documents, ref, rollout.stage, trial)
    return verdict, trial


def _is_news(trial: Trial, verdict: Verdict, now: datetime, quiet: float) -> bool:
    """Whether the ledger is told: each decision, and of what stays as it is as much as an operator reads."""
    if verdict.status is not Status.HOLD or trial.said is not verdict.status or trial.said_at is None:
        return True
    return (now - trial.said_at).total_seconds() >= quiet


def _record(
    ref: ReleaseRef, rollout: Rollout, trial: Trial, verdict: Verdict, source: str, tools: Tools
) -> None:
    shift = trial.shifts[-1]
    tools.record(
        ref,
        "JudgeCanary",
        f"{verdict.status.value.replace('_', ' ')} at {shift.weight:g} %: {verdict.reason}",
        stage=rollout.stage,
        key=f"{shift.step}#{tools.now().isoformat()}",
        evidence={
            **summarize(verdict),
            "next_weight": verdict.weight,
            "weight": shift.weight,
            "source": source,
        },
    )
