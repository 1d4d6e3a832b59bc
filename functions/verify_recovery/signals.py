"""The signals after the restore: do the stable versions serve well again?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.adapters.plans import find_plan, find_rollout, read_snapshot
from tidegate.adapters.samples import read_samples
from tidegate.domain.rollouts import Shift, window

if TYPE_CHECKING:
    from datetime import datetime

    from tidegate.domain.identity import ReleaseRef
    from tidegate.task import Tools


def find_trouble(ref: ReleaseRef, tools: Tools) -> str:
    """The first function whose stable version still fails more than its alarm allows; empty where none does.

    No request after the restore is no trouble: there is nobody to fail. But as long as no whole period since
    the restore can be read, nothing is known.
    """
    restored = _restored_at(ref, tools)
    plan = find_plan(tools.documents, ref)
    if restored is None or plan is None:
        return ""
    period = tools.settings.metric_period
    span = window(Shift(step=0, weight=0, at=restored), tools.now(), period)
    if span[0] >= span[1]:
        return "no whole minute since the restore can be read yet"
    mark = read_snapshot(tools.documents, ref).config.failure_mark
    for stage in plan.stages:
        rollout = find_rollout(tools.documents, ref, stage.stage)
        if rollout is None:
            continue
        clients = tools.stage(stage.stage)
        samples = read_samples(clients.cloudwatch, clients.logs, rollout.functions, span, period, mark)
        limit = stage.config.alarms.error_rate
        for sample in samples:
            if sample.stable.failed * 100 > limit * sample.stable.requests:
                return f"{sample.function} in {stage.stage}: stable {sample.stable.text} since the restore"
    return ""


def _restored_at(ref: ReleaseRef, tools: Tools) -> datetime | None:
    times = [
        entry.at for entry in tools.ledger.entries(ref.service, ref.id) if entry.step == "RestoreTraffic"
    ]
    return max(times) if times else None
