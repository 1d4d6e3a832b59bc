"""Steps with a check at each, as Flagger's canary analysis makes them.

Each interval the new version's success rate over the last interval is compared with a threshold: a check that
passes adds a step, one that fails holds, and enough failed ones roll back. No requests count as a failed
check. Source: Flagger documentation, "Deployment Strategies" (canary release), and its canary controller.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from tidegate.domain.simulation.runs import End, Move

if TYPE_CHECKING:
    from tidegate.domain.simulation.choices import FlaggerChoice
    from tidegate.domain.simulation.worlds import Tick


class Checking:
    """A driver that checks the new version alone, against a bare threshold."""

    def __init__(self, choice: FlaggerChoice, delay: float) -> None:
        """`delay` in seconds, from a request's start to when it can be read."""
        self._choice, self._delay = choice, delay
        self._ticks: deque[Tick] = deque()
        self._next = 0.0
        self._failed = self._passed = 0
        self._weight = 0

    def look(self, now: float) -> Move | None:
        """A check, each interval; the first step needs none."""
        if now < self._next:
            return None
        self._next = now + self._choice.interval
        if self._weight == 0:
            return self._step()
        if not self._check(now):
            self._failed += 1
            return Move(end=End.ROLLED_BACK) if self._failed >= self._choice.threshold else None
        self._passed += 1
        if self._passed < self._choice.iterations:
            return None
        return Move(end=End.PROMOTED) if self._weight >= self._choice.max_weight else self._step()

    def see(self, tick: Tick) -> None:
        """Keep it until it is older than any check's window."""
        self._ticks.append(tick)

    def _step(self) -> Move:
        step = self._choice.max_weight if self._choice.iterations else self._choice.step_weight
        self._weight = min(self._choice.max_weight, self._weight + step)
        return Move(self._weight / 100)

    def _check(self, now: float) -> bool:
        start, end = now - self._delay - self._choice.interval, now - self._delay
        while self._ticks and self._ticks[0].at < start:
            self._ticks.popleft()
        seen = [tick.canary for tick in self._ticks if tick.at <= end]
        requests = sum(canary.requests for canary in seen)
        failed = sum(canary.failed for canary in seen)
        return requests > 0 and 1 - failed / requests >= self._choice.success
