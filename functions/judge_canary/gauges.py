"""What the gauges of a rollout show: read once a period, and in the bake those alone that may end it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.adapters.gauges import find_gauges, read_gauges
from tidegate.domain.errors import CanaryFailed
from tidegate.domain.gauges import Gauged, Gauges, assess
from tidegate.domain.signals import Mode

if TYPE_CHECKING:
    from tidegate.domain.config import SignalsConfig
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.trials import Trial
    from tidegate.task import Tools


def gauge(ref: ReleaseRef, stage: str, trial: Trial, signals: SignalsConfig, tools: Tools) -> Gauged:
    """What follows of the gauges; what was read before where no period has ended since."""
    period = tools.settings.metric_period
    end = int(tools.now().timestamp()) // period * period
    if end <= trial.gauged.at:
        return trial.gauged
    gauges = (find_gauges(tools.documents, ref, stage) or Gauges()).gauges
    return assess(gauges, read_gauges(tools.stage(stage).cloudwatch, gauges, end, period), signals, end)


def check_gauges(ref: ReleaseRef, stage: str, trial: Trial, signals: SignalsConfig, tools: Tools) -> None:
    """CanaryFailed where a gauge that may end a rollout is out of its bounds while all traffic is new."""
    period = tools.settings.metric_period
    end = int(tools.now().timestamp()) // period * period
    found = find_gauges(tools.documents, ref, stage) or Gauges()
    gauges = [one for one in found.gauges if signals.mode(one.guard) is Mode.ENFORCE]
    if not gauges:
        return
    shown = assess(gauges, read_gauges(tools.stage(stage).cloudwatch, gauges, end, period), signals, end)
    if not shown.broken:
        return
    reason = f"the operator's limit, whatever the evidence: {'; '.join(shown.broken)}"
    evidence = {"status": "rollback", "weight": trial.shifts[-1].weight, "gauges": shown.model_dump()}
    tools.record(ref, "JudgeCanary", f"rollback: {reason}", stage=stage, key="gauges", evidence=evidence)
    tools.bus.publish("Verdict Reached", ref, f"{ref.service}: {reason}", stage=stage)
    raise CanaryFailed(reason)
