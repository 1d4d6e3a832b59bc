"""A look: what is new since the last one, the judge's verdict on all of it, and its ledger entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from functions.judge_canary.gauges import gauge
from functions.judge_canary.probes import list_lacking, probe
from tidegate.adapters.observing import observe as read
from tidegate.adapters.plans import read_snapshot
from tidegate.adapters.trials import write_trial
from tidegate.domain.judging import Moment, Status, decide, forget, is_under_one_weight, observe
from tidegate.domain.observing import Terms
from tidegate.domain.rollouts import is_unmixed, pace
from tidegate.domain.trials import MEMORY, make_policy, summarize
from tidegate.domain.wording import list_names

if TYPE_CHECKING:
    from datetime import datetime

    from functions.judge_canary.limits import Limited
    from tidegate.domain.batches import Batch, Observation
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.judging import State, Verdict
    from tidegate.domain.observing import Cursor
    from tidegate.domain.plans import Plan, StagePlan
    from tidegate.domain.rollouts import Rollout
    from tidegate.domain.trials import Trial
    from tidegate.task import Tools

OPEN: Final = frozenset({Status.HOLD, Status.HOLD_SUSPICIOUS})  # what more evidence may decide
QUIET: Final = 60  # seconds after which a verdict that says the same again is told again


def look(
    ref: ReleaseRef, rollout: Rollout, trial: Trial, plan: Plan, limited: Limited, tools: Tools
) -> tuple[Verdict, Trial]:
    """The verdict at this moment, and the trial with what it has read; both are kept.

    What is said of the limits is added to the reason. The trial is written last: if this dies before, the
    next look reads the same again.
    """
    now, factor = tools.now(), tools.settings.pace
    config = pace(plan.stage(rollout.stage).config, factor)
    policy = make_policy(config, plan.shifting, config.rollout.pace(factor).seconds)
    found, cursor = _read(ref, plan.stage(rollout.stage), rollout, trial, now, tools)
    state = forget(trial.state, now.timestamp() - MEMORY)
    state = observe(state, _select(found, trial, state), policy)
    shown = gauge(ref, rollout.stage, trial, config.signals, tools)
    moment = Moment(
        now=now.timestamp(), delay=found.delay, holds=(*shown.holds, *limited.holds), broken=shown.broken
    )
    verdict = decide(state, policy, moment)
    if verdict.status in OPEN:
        lacking = list_lacking(verdict, policy)
        probed, trial = probe(ref, plan.stage(rollout.stage), rollout, trial, lacking, now, tools)
        state = observe(state, probed.batches, policy)
        verdict = decide(state, policy, moment)
    told_too = "".join(f"; {sentence}" for sentence in shown.told)
    verdict = verdict.model_copy(update={"reason": verdict.reason + told_too + limited.note})
    told = _is_news(trial, verdict, now, QUIET * factor)
    said = {"said": verdict.status, "said_at": now} if told else {}
    seen = trial.model_copy(
        update={"state": state, "cursor": cursor, "delay": found.delay, "gauged": shown, **said}
    )
    _tell_silent(ref, rollout, trial.cursor, cursor, tools)
    if told:
        _tell(ref, rollout, seen, verdict, found.source, tools)
    write_trial(tools.documents, ref, rollout.stage, seen)
    return verdict, seen


def _read(
    ref: ReleaseRef, plan: StagePlan, rollout: Rollout, trial: Trial, now: datetime, tools: Tools
) -> tuple[Observation, Cursor]:
    terms = Terms(
        thresholds=trial.thresholds,
        mark=read_snapshot(tools.documents, ref).config.failure_mark,
        period=tools.settings.metric_period,
        pace=tools.settings.pace,
        allowance=plan.config.slower / 100,
        left_out=tuple(trial.probed),
    )
    stage = tools.stage(rollout.stage)
    return read(stage, ref, rollout.functions, trial.weights, trial.cursor, now, terms)


def _select(found: Observation, trial: Trial, state: State) -> list[Batch]:
    """The batches whose requests all began under one weight, and are all users'."""
    return [
        batch
        for batch in found.batches
        if is_unmixed(batch.at, batch.seconds, trial.shifts)
        and is_under_one_weight(state, batch)
        and not trial.is_hidden(batch)
    ]


def _is_news(trial: Trial, verdict: Verdict, now: datetime, quiet: float) -> bool:
    """Whether the ledger is told: each decision, and of what stays as it is as much as an operator reads."""
    if trial.said is not verdict.status or trial.said_at is None:
        return True
    if verdict.status in {Status.RAMP, Status.PROMOTE, Status.ROLLBACK}:
        return True
    return (now - trial.said_at).total_seconds() >= quiet


def _tell(
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
            "gauges": trial.gauged.model_dump(mode="json"),
        },
    )


def _tell_silent(ref: ReleaseRef, rollout: Rollout, before: Cursor, after: Cursor, tools: Tools) -> None:
    silent = {name: why for name, why in after.silent.items() if name not in before.silent}
    if silent:
        names, why = list_names(list(silent)), next(iter(silent.values()))
        what = f"the slower metrics serve {names} from now on: {why}"
        key = f"silent#{min(silent)}"
        tools.record(ref, "JudgeCanary", what, stage=rollout.stage, key=key, evidence={"silent": silent})
