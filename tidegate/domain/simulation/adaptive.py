"""Tidegate's own judge and ramp at work on a simulated release, through the judge's public interface alone.

It gets the batches that its source would give it: of fast telemetry five seconds each, with durations; of
CloudWatch whole minutes, with errors only. A span in which the weight changed gives no batch.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from tidegate.domain import judging
from tidegate.domain.batches import Arm, Batch
from tidegate.domain.config import OnInsufficientEvidence
from tidegate.domain.judging import History, Moment, Status
from tidegate.domain.simulation.choices import Source
from tidegate.domain.simulation.runs import End, Move
from tidegate.domain.simulation.worlds import TICK, Requests

if TYPE_CHECKING:
    from tidegate.domain.simulation.choices import AdaptiveChoice
    from tidegate.domain.simulation.sampling import Dice
    from tidegate.domain.simulation.scenarios import Traffic
    from tidegate.domain.simulation.worlds import Tick

FUNCTION: Final = "Function"
REMEMBERED: Final = 3600.0
ENDS: Final = {
    Status.ROLLBACK: End.ROLLED_BACK,
    Status.PROMOTE: End.PROMOTED,
}
LAST: Final = {
    OnInsufficientEvidence.ROLLBACK: End.UNDECIDED,
    OnInsufficientEvidence.PROMOTE: End.PROMOTED,
}


class View(NamedTuple):
    """What a source shows: batches of `seconds`, `delay` after their start, looked at every `every`."""

    seconds: float
    delay: float
    every: float
    detailed: bool


VIEWS: Final = {
    Source.TELEMETRY: View(seconds=5.0, delay=20.0, every=10.0, detailed=True),
    Source.METRICS: View(seconds=60.0, delay=180.0, every=60.0, detailed=False),
}


class Adaptive:
    """A driver that does what the judge says."""

    def __init__(self, choice: AdaptiveChoice, history: History, source: Source, dice: Dice) -> None:
        self._policy, self._view = choice.settings, VIEWS[source]
        self._ends = ENDS | {Status.INSUFFICIENT_EVIDENCE: LAST[choice.on_insufficient_evidence]}
        self._state = judging.begin({FUNCTION: history})
        self._next = 0.0
        self._spans = Spans(self._view, dice)

    def look(self, now: float) -> Move | None:
        """Give the judge what has arrived, and follow its verdict."""
        if now < self._next:
            return None
        self._next = now + self._view.every
        self._state = judging.observe(self._state, self._spans.read(now), self._policy)
        verdict = judging.decide(self._state, self._policy, Moment(now=now, delay=self._view.delay))
        if verdict.status in self._ends:
            return Move(end=self._ends[verdict.status])
        if verdict.weight is None:
            return None
        self._state = judging.shift(self._state, verdict.weight, now)
        return Move(verdict.weight)

    def see(self, tick: Tick) -> None:
        """Keep it until its batch has arrived."""
        self._spans.see(tick)


def recall(traffic: Traffic, dice: Dice) -> History:
    """What metrics of the last hour before a release say of the stable version."""
    requests = dice.poisson(traffic.rate * REMEMBERED)
    bursts = traffic.bursts
    struck = bursts.lasts / (bursts.lasts + bursts.every) if bursts else 0.0
    failed = dice.binomial(requests, traffic.baseline + struck * (bursts.errors if bursts else 0.0))
    return History(error_rate=failed / max(requests, 1), requests=requests, rate=requests / REMEMBERED)


class Spans:
    """Ticks put together to a source's batches; whole spans by the clock, of one weight each."""

    def __init__(self, view: View, dice: Dice) -> None:
        self._view = view
        self._start = -TICK * math.floor(dice.uniform() * view.seconds / TICK)
        self._ticks: list[Tick] = []
        self._closed: deque[Batch] = deque()

    def see(self, tick: Tick) -> None:
        """Add a tick; it closes the span when it is the last one."""
        self._ticks.append(tick)
        if tick.at + tick.seconds >= self._start + self._view.seconds:
            self._close()

    def read(self, now: float) -> list[Batch]:
        """The batches that have arrived and were not read before."""
        found = []
        while self._closed and self._closed[0].at + self._view.delay <= now:
            found.append(self._closed.popleft())
        return found

    def _close(self) -> None:
        ticks, self._ticks = self._ticks, []
        start, self._start = self._start, self._start + self._view.seconds
        if start < 0 or any(tick.mixed for tick in ticks):
            return
        detailed = self._view.detailed
        self._closed.append(
            Batch.model_construct(
                key=f"{FUNCTION}/{start:g}",
                function=FUNCTION,
                at=start,
                seconds=self._view.seconds,
                weight=ticks[0].weight,
                stable=_sum_up([tick.stable for tick in ticks], detailed=detailed),
                canary=_sum_up([tick.canary for tick in ticks], detailed=detailed),
            )
        )


def _sum_up(parts: list[Requests], *, detailed: bool) -> Arm:
    requests, failed = sum(part.requests for part in parts), sum(part.failed for part in parts)
    if not detailed:
        return Arm.model_construct(requests=requests, failed=failed)
    slow = tuple(sum(counts) for counts in zip(*(part.slow for part in parts), strict=True))
    return Arm.model_construct(
        requests=requests,
        failed=failed,
        timed_out=sum(part.timed_out for part in parts),
        warm=sum(part.warm for part in parts),
        slow=slow,
        costly=slow,
        cold=sum(part.cold for part in parts),
    )
