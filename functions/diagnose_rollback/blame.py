"""Is it the new version, or do both versions suffer? Asked of the same samples that the judge is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.adapters.plans import find_plan, find_rollout, read_snapshot
from tidegate.adapters.samples import read_samples
from tidegate.domain.identity import Frozen
from tidegate.domain.judge import SUSPICION, Sample, measure_evidence
from tidegate.domain.rollouts import ALL, Shift, window

if TYPE_CHECKING:
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.rollouts import Rollout
    from tidegate.domain.triggers import AlarmFired
    from tidegate.task import Tools


class Blame(Frozen):
    """`shift` is the stage's last one, None where there was none; `bake` in seconds as they run here."""

    shift: Shift | None
    bake: float = 0
    guilty: bool = False
    reason: str = ""


def find_blame(trigger: AlarmFired, ref: ReleaseRef, tools: Tools) -> Blame:
    """Who is to blame for an alarm.

    At 100 % there is no stable traffic left to compare with: the new version is all that there is, and going
    back is the safe side, unless the stable version did no better before. Throttles are the function's, not a
    version's: below 100 % they only hold.
    """
    plan = find_plan(tools.documents, ref)
    rollout = find_rollout(tools.documents, ref, trigger.stage)
    shift = find_shift(trigger, ref, tools)
    if plan is None or rollout is None or shift is None:
        return Blame(shift=None)
    bake = (plan.stage(trigger.stage).config.bake or 0) * tools.settings.pace
    if shift.weight == ALL:
        sick = find_sickness(trigger, ref, plan.stage(trigger.stage).config.alarms.error_rate, tools)
        reason = sick or f"after the promotion: {trigger.reason}"
        return Blame(shift=shift, bake=bake, guilty=not sick, reason=reason)
    if trigger.signal == "throttles":
        return Blame(shift=shift, bake=bake, reason="throttles are shared by both versions")
    guilty, reason = _compare(trigger, ref, rollout, shift, tools)
    return Blame(shift=shift, bake=bake, guilty=guilty, reason=reason)


def find_shift(trigger: AlarmFired, ref: ReleaseRef, tools: Tools) -> Shift | None:
    """The last shift that the release decided on in the alarm's stage."""
    entries = tools.ledger.entries(ref.service, ref.id)
    shifts = [e for e in entries if e.step == "ShiftTraffic" and e.stage == trigger.stage]
    if not shifts:
        return None
    return Shift(step=len(shifts) - 1, weight=shifts[-1].evidence["weight"], at=shifts[-1].at)


def find_sickness(trigger: AlarmFired, ref: ReleaseRef, limit: float, tools: Tools) -> str:
    """That the stable version failed as much as the alarm forbids when last judged; empty otherwise."""
    if trigger.signal != "errors":
        return ""
    entries = tools.ledger.entries(ref.service, ref.id)
    verdicts = [e for e in entries if e.step == "JudgeCanary" and e.stage == trigger.stage]
    samples = [Sample.model_validate(item) for item in verdicts[-1].evidence["evidence"]] if verdicts else []
    for sample in samples:
        stable = sample.stable
        if sample.function == trigger.function and stable.failed * 100 >= limit * stable.requests > 0:
            return f"the stable version {stable.text} before the promotion: no better"
    return ""


def _compare(
    trigger: AlarmFired, ref: ReleaseRef, rollout: Rollout, shift: Shift, tools: Tools
) -> tuple[bool, str]:
    functions = [f for f in rollout.functions if f.logical_id == trigger.function]
    stage, period = tools.stage(trigger.stage), tools.settings.metric_period
    mark = read_snapshot(tools.documents, ref).config.failure_mark
    span = window(shift, tools.now(), period)
    for sample in read_samples(stage.cloudwatch, stage.logs, functions, span, period, mark):
        strength = measure_evidence(sample, shift.weight)
        side = "the new version" if strength >= SUSPICION else "both versions alike, perhaps a downstream"
        counts = f"canary {sample.canary.text}, stable {sample.stable.text}, evidence {strength:,.3g} : 1"
        return strength >= SUSPICION, f"{side}: {counts}"
    return False, "the function does not shift in this release"
