"""What is known of functions before their release: their last day, by the version that is stable now."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tidegate.adapters.metrics import Series, make_stats, read_series
from tidegate.domain.config import DAY
from tidegate.domain.observing import LastDay, Profile, Thresholds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_cloudwatch import CloudWatchClient

    from tidegate.domain.rollouts import RollingFunction

QUANTILES: Final = ("p75", "p90", "p95", "p99")
KINDS: Final = (("Invocations", "Sum"), ("Errors", "Sum"), *(("Duration", stat) for stat in QUANTILES))


def read_history(
    client: CloudWatchClient,
    functions: Sequence[RollingFunction],
    profiles: Mapping[str, Profile],
    now: datetime,
) -> dict[str, LastDay]:
    """Each function's last day by its logical id, in one call for 83 functions.

    CloudWatch may answer with two periods of a day that the last one touches: the busier one is taken.
    """
    stats = make_stats(functions, KINDS, lambda function: function.stable)
    series = read_series(client, stats, DAY, now - timedelta(seconds=DAY), now)
    return {
        function.logical_id: _history(
            function.logical_id, series, profiles.get(function.logical_id, Profile()).memory
        )
        for function in functions
    }


def _history(function: str, series: Series, memory: int) -> LastDay:
    invocations = series.get(f"{function}/Invocations/Sum", {})
    if not sum(invocations.values()):
        return LastDay()
    day = max(invocations, key=lambda at: invocations[at])
    known = [series.get(f"{function}/Duration/{stat}", {}).get(day) for stat in QUANTILES]
    slow = tuple(value for value in known if value is not None)
    return LastDay(
        requests=round(invocations[day]),
        errors=round(series.get(f"{function}/Errors/Sum", {}).get(day, 0)),
        thresholds=Thresholds(slow=slow, costly=tuple(value * memory / 1024 for value in slow)),
    )
