"""When a batch of telemetry is closed: what is known of its requests is all that will be, or is enough."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tidegate.domain.collected import Collected, Rules, Stream

UNKNOWN_LAG: Final = 10.0  # seconds on AWS from a line to its counting, before any was measured
LONGEST_LAG: Final = 60.0


def measure_quiet(lags: Iterable[tuple[float, int]], pace: float) -> float:
    """Seconds after a batch's end until what is known of it is all: nearly the longest lag that was seen.

    A single delivery that was repeated does not hold everything up: twice the 95th percentile is enough.
    """
    known = sorted(lags)
    if not known:
        return UNKNOWN_LAG * pace
    return min(known[-1][0], 2 * quantile95(known), LONGEST_LAG)


def quantile95(weighted: list[tuple[float, int]]) -> float:
    """The 95th percentile of values with their counts; 0 of nothing."""
    left = math.ceil(0.95 * sum(count for _, count in weighted))
    for value, count in sorted(weighted):
        left -= count
        if left <= 0:
            return value
    return 0.0


def close_to(collected: Collected, rules: Rules, quiet: float, now: int) -> int:
    """The beginning of the first batch that is not closed yet.

    Batches wait for requests that run, and where a log tells of no beginnings for as long as one may.
    """
    known = now - quiet * 1000
    if not collected.tells_starts:
        return math.floor((known - rules.timeout * 1000) / rules.length) * rules.length
    end = math.floor(known / rules.length) * rules.length
    running = (batch for stream in collected.streams for batch, _ in find_running(stream, rules))
    return min([end, *(batch for batch in running if batch + rules.length + rules.patience * 1000 > known)])


def find_running(stream: Stream, rules: Rules) -> list[tuple[int, bytes]]:
    """The request that an environment is at, and the batch that it began in; none where it waits for one.

    It takes one after the other, so only its newest can be running: what has no end before that was lost.
    """
    begun = [one.at // rules.length * rules.length for one in stream.attempts]
    newest = max([batch for batch, _ in stream.starts] + begun, default=0)
    ended = Counter(one.request for one in stream.attempts)
    ended.subtract(request for _, request in stream.starts)
    return [one for one in sorted(stream.starts) if one[0] == newest and ended[one[1]] < 0][-1:]
