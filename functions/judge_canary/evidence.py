"""A look: the samples of the shift's window, the judge's verdict on them, and its ledger entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.adapters.plans import read_snapshot
from tidegate.adapters.samples import read_samples
from tidegate.domain.judge import Policy, Verdict, judge
from tidegate.domain.rollouts import ALL, Rollout, Shift, count_looks, window

if TYPE_CHECKING:
    from datetime import datetime

    from tidegate.domain.config import StageConfig
    from tidegate.domain.identity import ReleaseRef
    from tidegate.task import Tools


def look(
    ref: ReleaseRef, rollout: Rollout, shift: Shift, config: StageConfig, now: datetime, tools: Tools
) -> Verdict | None:
    """The verdict at this moment; None at 100 %, where there is no stable version to compare with."""
    if shift.weight == ALL:
        return None
    stage = tools.stage(rollout.stage)
    period = tools.settings.metric_period
    span = window(shift, now, period)
    mark = read_snapshot(tools.documents, ref).config.failure_mark
    samples = read_samples(stage.cloudwatch, stage.logs, rollout.functions, span, period, mark)
    looks = count_looks(config, len(rollout.functions))
    verdict = judge(
        samples, shift.weight, Policy(minimum_invocations=config.minimum_invocations, looks=looks)
    )
    tools.record(
        ref,
        "JudgeCanary",
        f"{verdict.status} at {shift.weight} %: {verdict.reason}",
        stage=rollout.stage,
        key=f"{shift.step}#{now.isoformat()}",
        evidence={"from": span[0], "to": span[1], "weight": shift.weight, **verdict.model_dump(mode="json")},
    )
    return verdict
