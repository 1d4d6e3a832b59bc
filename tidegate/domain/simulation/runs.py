"""One release, from its first shift to its end: a policy drives, the world answers.

Failed requests are counted to the horizon whatever the policy does: a bad version that was promoted goes on
failing until then, so that to be quick and wrong does not look good.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tidegate.domain.simulation.worlds import TICK

if TYPE_CHECKING:
    from tidegate.domain.simulation.worlds import Tick, World

COARSE = 60.0  # seconds of a tick after the promotion, when nobody looks


class End(StrEnum):
    """How a release ended; an `undecided` one goes back for want of evidence, and is nobody's fault."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    UNDECIDED = "undecided"


class Move(NamedTuple):
    """What a policy does: another weight, or an end."""

    weight: float = 0.0
    end: End | None = None


class Driver(Protocol):
    """A policy at work on one release; times are seconds from its start."""

    def look(self, now: float) -> Move | None:
        """What to do now, before the next tick; None to go on."""
        ...

    def see(self, tick: Tick) -> None:
        """What happened; the driver keeps it until its source of data would show it."""
        ...


class Timing(NamedTuple):
    """`horizon` and `longest` in seconds from the start, `restore` until a rollback takes effect."""

    horizon: float = 3600.0
    longest: float = 21_600.0
    restore: float = 2.0


class Run(NamedTuple):
    """One release; `failed` and `exposed` count up to the horizon.

    `weights` are (seconds, weight) at each change, `harm` (seconds, failed so far) at each increase.
    """

    end: End
    seconds: float
    failed: int
    exposed: int
    weights: tuple[tuple[float, float], ...]
    harm: tuple[tuple[float, int], ...]


def count_failed(run: Run, horizon: float) -> int:
    """The failed requests of a run up to an earlier horizon than the one that it was played to."""
    return max((failed for at, failed in run.harm if at <= horizon), default=0)


class Counter:
    """The requests that a bad version has failed so far."""

    def __init__(self, horizon: float) -> None:
        self._horizon = horizon
        self.failed = self.exposed = 0
        self.harm: list[tuple[float, int]] = []

    def add(self, tick: Tick) -> None:
        """Count a tick that begins before the horizon."""
        if tick.at >= self._horizon or not tick.exposed:
            return
        self.failed += tick.excess
        self.exposed += tick.exposed
        if tick.excess:
            self.harm.append((tick.at + tick.seconds, self.failed))


def play(driver: Driver, world: World, timing: Timing) -> Run:
    """One release by one policy."""
    counter = Counter(timing.horizon)
    weights: list[tuple[float, float]] = []
    end = End.UNDECIDED
    while world.now < timing.longest:
        move = driver.look(world.now)
        if move is not None and move.end is not None:
            end = move.end
            break
        if move is not None and move.weight != world.weight:
            world.shift(move.weight)
            weights.append((world.now, move.weight))
        tick = world.advance()
        counter.add(tick)
        driver.see(tick)
    seconds = world.now
    _finish(end, world, timing, counter)
    weights.append((seconds, world.weight))
    return Run(end, seconds, counter.failed, counter.exposed, tuple(weights), tuple(counter.harm))


def _finish(end: End, world: World, timing: Timing, counter: Counter) -> None:
    """What still fails after the decision."""
    world.shift(1.0 if end is End.PROMOTED else 0.0)
    if end is not End.PROMOTED:
        if timing.restore:
            counter.add(world.advance(timing.restore))
        return
    while world.now < timing.horizon:
        step = TICK if world.now % COARSE else COARSE
        counter.add(world.advance(min(step, timing.horizon - world.now)))
