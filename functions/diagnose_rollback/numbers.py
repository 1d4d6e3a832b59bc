"""The numbers of a diagnosis: requests and failures of both versions, read up to this minute.

The judge waits until a period can be read whole. An alarm has seen the newest one already, and both versions
lack the same part of it.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING

from tidegate.adapters.counts import read_counts
from tidegate.adapters.metrics import Stat, read_series
from tidegate.adapters.plans import read_snapshot
from tidegate.domain.blame import Tail

if TYPE_CHECKING:
    from functions.diagnose_rollback.blame import Case
    from tidegate.domain.blame import Pair
    from tidegate.domain.rollouts import RollingFunction


def count(case: Case, function: RollingFunction, start: datetime, end: datetime) -> Pair:
    """Both versions' requests and failures in the span's periods; one that it breaks into is left out."""
    stage, period = case.tools.stage(case.trigger.stage), case.tools.settings.metric_period
    first, last = _align(start, end, period)
    mark = read_snapshot(case.tools.documents, case.ref).config.failure_mark
    return read_counts(stage, [function], (first, last), period, mark)[function.logical_id]


def measure_tail(case: Case, function: RollingFunction) -> Tail:
    """The worst p99 of a period of each version since the last shift, in milliseconds."""
    stage, period = case.tools.stage(case.trigger.stage), case.tools.settings.metric_period
    stats = {v: Stat(function, "Duration", v, "p99") for v in (function.stable, function.canary)}
    series = read_series(stage.cloudwatch, stats, period, *_align(case.shift.at, case.tools.now(), period))
    stable, canary = (max(series[v].values(), default=None) for v in (function.stable, function.canary))
    return Tail(stable=stable, canary=canary)


def describe(pair: Pair) -> str:
    """The numbers after a promotion, in words."""
    return (
        f"the new version {pair.canary.text} since the promotion, the stable one {pair.stable.text} in the "
        "hour before the release's first shift"
    )


def _align(start: datetime, end: datetime, period: int) -> tuple[datetime, datetime]:
    """Whole periods: from the first that begins within the span, or else from the one that it begins in."""
    last = math.ceil(end.timestamp() / period) * period
    first = math.ceil(start.timestamp() / period) * period
    if first >= last:
        first -= period
    return datetime.fromtimestamp(first, start.tzinfo), datetime.fromtimestamp(last, start.tzinfo)
