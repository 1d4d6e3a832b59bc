"""Requests and failures of both versions over one span, from CloudWatch's metrics and from failure marks.

For whoever asks once, after the fact; a rollout is watched by observing.py. A request that logs an error and
then raises is in both counts, and nothing tells which these are: the greater count is taken, so that none is
counted twice.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tidegate.adapters.marks import find_marks
from tidegate.adapters.metrics import Stat, read_series
from tidegate.domain.blame import Pair, Tally

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tidegate.adapters.clients import StageClients
    from tidegate.domain.rollouts import RollingFunction


def read_counts(
    stage: StageClients,
    functions: Sequence[RollingFunction],
    span: tuple[datetime, datetime],
    period: int,
    mark: str,
) -> dict[str, Pair]:
    """Both versions by the logical id; `span` is whole periods of `period` seconds, [start, end)."""
    start, end = span
    stats = {
        f"{function.logical_id}/{version}/{metric}": Stat(function, metric, version)
        for function in functions
        for version in (function.stable, function.canary)
        for metric in ("Invocations", "Errors")
    }
    series = read_series(stage.cloudwatch, stats, period, start, end)

    def read(function: RollingFunction) -> Pair:
        marks = Counter(version for version, _ in find_marks(stage.logs, function, start, end, mark))

        def tally(version: str) -> Tally:
            name = f"{function.logical_id}/{version}"
            requests = round(sum(series[f"{name}/Invocations"].values()))
            errors = round(sum(series[f"{name}/Errors"].values()))
            return Tally(requests=requests, failed=min(requests, max(errors, marks[version])))

        return Pair(stable=tally(function.stable), canary=tally(function.canary))

    return {function.logical_id: read(function) for function in functions}
