"""A CloudWatch alarm on an alias, evaluated as CloudWatch does, on whole minutes that have arrived.

The minutes begin where the clock's do, not where the release does. A minute without requests has no error
rate and does not breach (`TreatMissingData: notBreaching`). Source: Amazon CloudWatch User Guide,
"Evaluating an alarm" and "Configuring how CloudWatch alarms treat missing data".
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tidegate.domain.simulation.choices import AlarmSettings
    from tidegate.domain.simulation.worlds import Tick

PERIOD: Final = 60.0


class Minutes:
    """Counts of whole minutes as CloudWatch has them; `phase` is when the first one begins (at most 0)."""

    def __init__(self, phase: float) -> None:
        self._start = phase
        self._requests = self._failed = 0
        self._closed: deque[tuple[float, int, int]] = deque()

    def see(self, tick: Tick) -> None:
        """Count a tick in the minute in which it begins."""
        while tick.at >= self._start + PERIOD:
            self._closed.append((self._start, self._requests, self._failed))
            self._start += PERIOD
            self._requests = self._failed = 0
        self._requests += tick.stable.requests + tick.canary.requests
        self._failed += tick.stable.failed + tick.canary.failed

    def read(self, now: float, delay: float) -> list[tuple[int, int]]:
        """(requests, failed) of the minutes that can be read now and were not before."""
        found = []
        while self._closed and self._closed[0][0] + delay <= now:
            _, requests, failed = self._closed.popleft()
            found.append((requests, failed))
        return found


class Alarm:
    """M of the last N minutes above a threshold; `highest` is what would just not have fired."""

    def __init__(self, settings: AlarmSettings, threshold: float) -> None:
        self._threshold, self._needed = threshold, settings.datapoints
        self._rates: deque[float] = deque(maxlen=settings.periods)
        self.highest = 0.0

    def evaluate(self, requests: int, failed: int) -> bool:
        """Whether it is in ALARM after one more minute."""
        self._rates.append(failed / requests if requests else 0.0)
        if len(self._rates) < self._needed:
            return False
        worst = sorted(self._rates, reverse=True)[self._needed - 1]
        self.highest = max(self.highest, worst)
        return worst > self._threshold
