"""The signals after the restore: do the stable versions serve well again?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.adapters.counts import read_counts
from tidegate.adapters.plans import find_plan, find_rollouts, read_snapshot
from tidegate.domain.rollouts import window

if TYPE_CHECKING:
    from datetime import datetime

    from tidegate.domain.healthy import GoingBack
    from tidegate.domain.identity import ReleaseRef
    from tidegate.task import Tools


def find_trouble(ref: ReleaseRef, going: GoingBack | None, tools: Tools) -> str:
    """The first function whose stable version still fails more than its alarm allows; empty where none does.

    No request after the restore is no trouble: there is nobody to fail. But as long as no whole period since
    the restore can be read, nothing is known. An order to go back is measured by its target's plan.
    """
    restored = _restored_at(ref, tools)
    basis = going.target if going else ref
    plan = find_plan(tools.documents, basis)
    if restored is None or plan is None:
        return ""
    period = tools.settings.metric_period
    span = window(restored, tools.now(), period)
    if span[0] >= span[1]:
        return "no whole minute since the restore can be read yet"
    mark = read_snapshot(tools.documents, basis).config.failure_mark
    limits = {stage.stage: stage.config.alarms.error_rate for stage in plan.stages}
    for rollout in find_rollouts(tools.documents, ref, list(limits)):
        counts = read_counts(tools.stage(rollout.stage), rollout.functions, span, period, mark)
        for function, pair in counts.items():
            if pair.stable.failed * 100 > limits[rollout.stage] * pair.stable.requests:
                return f"{function} in {rollout.stage}: stable {pair.stable.text} since the restore"
    return ""


def _restored_at(ref: ReleaseRef, tools: Tools) -> datetime | None:
    times = [
        entry.at for entry in tools.ledger.entries(ref.service, ref.id) if entry.step == "RestoreTraffic"
    ]
    return max(times) if times else None
