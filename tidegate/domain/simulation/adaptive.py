"""Tidegate's own judge and rollout at work on a simulated release, through the interface that releases use.

It gets the batches that its source would give it: of fast telemetry five seconds each, with durations; of
CloudWatch whole minutes, with errors only. A span in which the weight changed gives no batch.
"""

from __future__ import annotations

import math
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from tidegate.domain import judging, rollouts
from tidegate.domain.batches import Arm, Batch
from tidegate.domain.judging import History, Moment, Status
from tidegate.domain.rollouts import Shift, first_look, first_weight, move_on
from tidegate.domain.simulation.choices import Source
from tidegate.domain.simulation.runs import End, Move
from tidegate.domain.simulation.worlds import TICK, Requests
from tidegate.domain.strategies import ALL
from tidegate.domain.trials import make_policy

if TYPE_CHECKING:
    from tidegate.domain.simulation.choices import AdaptiveChoice
    from tidegate.domain.simulation.sampling import Dice
    from tidegate.domain.simulation.scenarios import Traffic
    from tidegate.domain.simulation.worlds import Tick

FUNCTION: Final = "Function"
REMEMBERED: Final = 86_400.0  # seconds of history that a release reads


class View(NamedTuple):
    """What a source shows: batches of `seconds`, readable `delay` seconds after their start."""

    seconds: float
    delay: float
    detailed: bool


VIEWS: Final = {
    Source.TELEMETRY: View(seconds=5.0, delay=20.0, detailed=True),
    Source.METRICS: View(seconds=60.0, delay=180.0, detailed=False),
}


class Adaptive:
    """A driver that does what a stage's rollout does: the judge's verdict, and the next move by strategy."""

    def __init__(self, choice: AdaptiveChoice, history: History, source: Source, dice: Dice) -> None:
        self._config, self._view = choice.stage.for_stage(production=True), VIEWS[source]
        self._policy = make_policy(self._config)
        self._state = judging.begin({FUNCTION: history})
        self._shifts: tuple[Shift, ...] = ()
        self._next = 0.0
        self._spans = Spans(self._view, dice)

    def look(self, now: float) -> Move | None:
        """Give the judge what has arrived, and follow its verdict."""
        if now < self._next:
            return None
        self._state = judging.observe(self._state, self._spans.read(now), self._policy)
        verdict = judging.decide(self._state, self._policy, Moment(now=now, delay=self._view.delay))
        strategy, at = self._config.rollout, datetime.fromtimestamp(now, UTC)
        if not self._shifts:
            return self._shift(first_weight(strategy, verdict.weight or self._policy.first), now)
        if verdict.status is Status.ROLLBACK:
            return Move(end=End.ROLLED_BACK)
        move = move_on(self._config, strategy, self._shifts, verdict, at, self._view.delay)
        if move is None:
            return Move(end=End.UNDECIDED)
        if move.next is rollouts.Move.SHIFT:
            return self._shift(move.weight, now)
        self._next = now + move.wait
        return None

    def _shift(self, weight: float, now: float) -> Move:
        """A weight in percent."""
        if weight >= ALL:
            return Move(end=End.PROMOTED)
        at = datetime.fromtimestamp(now, UTC)
        self._shifts = (*self._shifts, Shift(step=len(self._shifts), weight=weight, began=at, at=at))
        self._state = judging.shift(self._state, weight / ALL, now)
        self._next = now + first_look(self._view.delay)
        return Move(weight / ALL)

    def see(self, tick: Tick) -> None:
        """Keep it until its batch has arrived."""
        self._spans.see(tick)


def recall(traffic: Traffic, dice: Dice) -> History:
    """What the metrics of the last day before a release say of the stable version."""
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
