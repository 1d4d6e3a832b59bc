"""The world of one release: which requests come, which version gets them, and which fail.

Time runs in ticks of five seconds, the grain of fast telemetry. A request that the new version fails and a
stable one would not have failed is counted apart, exactly: the failures of a healthy version are drawn first,
and the fault's own are drawn from the rest. A write of the alias takes effect only when it has spread.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from tidegate.domain.simulation.sampling import Dice
    from tidegate.domain.simulation.scenarios import Bursts, Fault, Traffic

TICK: Final = 5.0  # seconds
QUANTILES: Final = (0.75, 0.90, 0.95, 0.99)
DAY: Final = 24
SICK_FOR: Final = 600.0  # seconds until Lambda has replaced a sick environment
HOUR: Final = 3600.0


class Requests(NamedTuple):
    """One version's requests of a tick; `slow` counts the warm ones above each historic quantile."""

    requests: int = 0
    failed: int = 0
    timed_out: int = 0
    warm: int = 0
    slow: tuple[int, ...] = (0,) * len(QUANTILES)
    cold: int = 0


class Tick(NamedTuple):
    """What happened in a span of `seconds` from `at`.

    `mixed` where a write of the alias took effect in it; `excess` are the failed requests that the stable
    version would not have failed, `exposed` those that the new version got while it was bad.
    """

    at: float
    seconds: float
    weight: float
    mixed: bool
    stable: Requests
    canary: Requests
    excess: int
    exposed: int


class Fleet:
    """The execution environments of one version: how many, how many of them fail all they get."""

    def __init__(self, traffic: Traffic, dice: Dice, environments: int) -> None:
        self._traffic, self._dice = traffic, dice
        self.environments = environments
        self._sick = 0  # from birth, by a sticky fault
        self._fallen: list[float] = []  # when those that fell sick are replaced

    def grow(self, rate: float, sticky: float) -> int:
        """Make room for a rate of requests; the number of environments that had to be started."""
        busy = rate * self._traffic.duration
        new = max(0, math.ceil(busy + 2 * math.sqrt(busy)) - self.environments)
        self.environments += new
        self._sick += self._dice.binomial(new, sticky)
        return new

    def sicken(self, at: float, seconds: float) -> float:
        """The share of environments that fell sick by chance, as it is in a tick."""
        if self._traffic.sick == 0:
            return 0.0
        self._fallen = [until for until in self._fallen if until > at]
        mean = self._traffic.sick * self.environments * seconds / HOUR
        self._fallen += [at + SICK_FOR] * self._dice.poisson(mean)
        return min(1.0, len(self._fallen) / max(self.environments, 1))

    @property
    def faulty(self) -> float:
        """The share of environments that a sticky fault has broken."""
        return self._sick / max(self.environments, 1)


class World:
    """One release's requests, tick by tick; the weight is changed from outside."""

    def __init__(
        self, traffic: Traffic, fault: Fault, dice: Dice, spread: float, *, detailed: bool = True
    ) -> None:
        """`spread` is the time in seconds that a write of the alias takes; durations if `detailed`."""
        self.now = 0.0
        self.weight = 0.0
        self._before = 0.0
        self._traffic, self._fault, self._dice, self._spread = traffic, fault, dice, spread
        self._slow = tuple(
            shares_above(traffic.spread, factor) if detailed else () for factor in (1.0, fault.latency)
        )
        busy = traffic.rate * traffic.duration
        self._stable = Fleet(traffic, dice, math.ceil(busy + 4 * math.sqrt(busy)))
        self._canary = Fleet(traffic, dice, 0)
        self._downstream = Downstream(traffic.bursts, dice)

    def shift(self, weight: float) -> None:
        """Write the alias now."""
        self.weight = weight

    def advance(self, seconds: float = TICK) -> Tick:
        """The requests of the next `seconds`."""
        at, dice = self.now, self._dice
        base = max(self._traffic.baseline, self._downstream.errors(at))
        rate, share = self._rate(at), self._share(seconds)
        total = dice.poisson(rate * seconds)
        to_canary = dice.binomial(total, share)
        stable = self._serve(
            total - to_canary, _either(base, self._stable.sicken(at, seconds)), self._slow[0]
        )
        bad = at >= self._fault.after and not self._fault.harmless
        cold = self._canary.grow(rate * share, self._fault.sticky) if share else 0
        usual = _either(base, self._canary.sicken(at, seconds)) if share else base
        canary, excess = self._serve(to_canary, usual, self._slow[bad], min(cold, to_canary)), 0
        if bad:
            canary, excess = self._harm(canary, usual)
        tick = Tick(
            at, seconds, self.weight, self.weight != self._before, stable, canary, excess, bad * to_canary
        )
        self._before, self.now = self.weight, at + seconds
        return tick

    def _rate(self, at: float) -> float:
        traffic = self._traffic
        if not traffic.daily:
            return traffic.rate
        angle = 2 * math.pi * (traffic.hour + at / HOUR - 15) / DAY
        return traffic.rate * (1 + traffic.daily * math.cos(angle))

    def _share(self, seconds: float) -> float:
        """The share of the requests that the canary gets; a write counts from when it has spread."""
        late = min(1.0, self._spread / seconds)
        return late * self._realise(self._before) + (1 - late) * self._realise(self.weight)

    def _realise(self, weight: float) -> float:
        return min(1.0, weight * self._traffic.routing) if weight < 1 else 1.0

    def _serve(self, requests: int, failing: float, slow: tuple[float, ...], cold: int = 0) -> Requests:
        dice = self._dice
        warm = left = requests - cold
        above = []
        share = 1.0
        for part in slow:
            left = dice.binomial(left, part / share)
            above.append(left)
            share = part
        return Requests(requests, dice.binomial(requests, failing), 0, warm, tuple(above), cold)

    def _harm(self, canary: Requests, base: float) -> tuple[Requests, int]:
        """The fault's own failures; a request that times out is a slow one as well."""
        fault, dice = self._fault, self._dice
        sticky = self._canary.faulty
        added = fault.errors + fault.timeouts + sticky
        if not added:
            return canary, 0
        share = 1.0 if base >= 1 else min(1.0, added / (1 - base))
        excess = dice.binomial(canary.requests - canary.failed, share)
        timed_out = dice.binomial(excess, fault.timeouts / added)
        slow = tuple(min(canary.warm, count + timed_out) for count in canary.slow)
        failed = canary.failed + excess
        return canary._replace(failed=failed, timed_out=timed_out, slow=slow), excess


class Downstream:
    """What both versions call, and what fails in bursts."""

    def __init__(self, bursts: Bursts | None, dice: Dice) -> None:
        self._bursts, self._dice = bursts, dice
        self._failing = bursts is not None and dice.uniform() * (bursts.lasts + bursts.every) < bursts.lasts
        self._turn = 0.0 if bursts else math.inf
        self._turn += self._wait()

    def errors(self, at: float) -> float:
        """The share of requests that it fails; times must not go back."""
        while at >= self._turn:
            self._failing = not self._failing
            self._turn += self._wait()
        return self._bursts.errors if self._bursts and self._failing else 0.0

    def _wait(self) -> float:
        if self._bursts is None:
            return 0.0
        return self._dice.exponential(self._bursts.lasts if self._failing else self._bursts.every)


def _either(one: float, other: float) -> float:
    return one + (1 - one) * other


def shares_above(spread: float, factor: float) -> tuple[float, ...]:
    """The shares of durations above the historic quantiles where all are `factor` times as long.

    Durations are log-normal, `spread` the deviation of their logarithm.
    """
    normal = NormalDist()
    return tuple(1 - normal.cdf(normal.inv_cdf(q) - math.log(factor) / spread) for q in QUANTILES)
