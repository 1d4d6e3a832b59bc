"""A version that hangs, from the log to the verdict: it must not be judged by the requests that it answers."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from functools import partial

import pytest

from tidegate.domain.attempts import FAILED, TIMED_OUT, Attempt
from tidegate.domain.collected import Collected, Rules, Stream
from tidegate.domain.judging import History, Moment, Policy, Status, begin, decide, observe, shift
from tidegate.domain.observing import Read, Thresholds, find_weight
from tidegate.domain.tallies import give

BASE = 1_800_000_000.0
LENGTH = 5000
LAG = 10.0
RATE = 50.0
THRESHOLDS = Thresholds(slow=(100.0, 200.0, 300.0, 2000.0))
POLICY = Policy(longest_hold=7200)


class Log:
    """What the log of a function tells; a request that hangs is alone in its environment."""

    def __init__(self, seed: int, limit: float, hanging: float) -> None:
        self._dice = random.Random(seed)  # noqa: S311
        self._limit, self._hanging = limit, hanging
        self._until = BASE
        self.requests: list[tuple[float, float, str, bool]] = []

    def serve(self, until: float, weight: float) -> None:
        """Requests of both versions; some of the new one's hang."""
        while self._until < until:
            self._until += self._dice.expovariate(RATE)
            version = "8" if self._dice.random() < weight else "7"
            hangs = version == "8" and self._dice.random() < self._hanging
            self.requests.append((self._until, self._limit if hangs else 0.1, version, hangs))

    def collect(self, now: float) -> Collected:
        """What is known of it at a time."""
        streams: dict[str, Stream] = {}
        for number, (at, seconds, version, hangs) in enumerate(self.requests):
            name = f"{version}#{number if hangs else 'usual'}"
            stream, request = streams.setdefault(name, Stream(version, name)), number.to_bytes(6)
            if at <= now - LAG:
                stream.starts.append((int(at * 1000) // LENGTH * LENGTH, request))
            if at + seconds <= now - LAG:
                flags = (FAILED | TIMED_OUT) if hangs else 0
                stream.attempts.append(Attempt(request, request, int(at * 1000), seconds * 1000, 0, 1, flags))
        return Collected(tuple(streams.values()), ((LAG, 5),))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("limit", "hanging"), [(120.0, 0.2), (300.0, 0.5), (900.0, 1.0)])
def test_a_version_that_hangs_is_turned_back_after_few_requests(
    seed: int, limit: float, hanging: float
) -> None:
    log, now, read, delay = Log(seed, limit, hanging), BASE, Read(), 20.0
    state = begin({"F": History(error_rate=0.001, requests=100_000, rate=RATE)})
    shifts: list[tuple[float, datetime]] = []
    while (verdict := decide(state, POLICY, Moment(now=now, delay=delay))).status is not Status.ROLLBACK:
        assert verdict.status is not Status.PROMOTE, verdict.reason
        if verdict.weight:
            state = shift(state, verdict.weight, now)
            shifts.append((verdict.weight, datetime.fromtimestamp(now, UTC)))
        now += max(10.0, delay / 2)
        log.serve(now, state.weight)
        weigh = partial(find_weight, shifts, writing=0.1, spread=5.0)
        rules = Rules("F", "7", "8", LENGTH, limit, 1.0, THRESHOLDS, weigh)
        found = give(log.collect(now), rules, read, round(BASE * 1000), round(now * 1000))
        read, delay = found.read, found.delay
        state = observe(state, found.batches, POLICY)
    assert sum(hangs for *_, hangs in log.requests) <= 40
    assert now - BASE < limit * 4
