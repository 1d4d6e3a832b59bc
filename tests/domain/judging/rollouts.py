"""Batches and simulated rollouts for the tests of the judge."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tidegate.domain.batches import Arm, Batch
from tidegate.domain.judging import (
    History,
    Moment,
    Policy,
    Status,
    Verdict,
    begin,
    decide,
    observe,
    shift,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ENDS = {Status.ROLLBACK, Status.PROMOTE, Status.INSUFFICIENT_EVIDENCE}
QUANTILES = (0.25, 0.10, 0.05, 0.01)
SPAN = 5.0


def batch(
    *,
    canary: tuple[int, int],
    stable: tuple[int, int],
    weight: float,
    key: str = "k",
    at: float = 1000.0,
    function: str = "F",
    probe: bool = False,
) -> Batch:
    """A batch of five seconds; arms are (failed, requests), as people say it."""
    return Batch(
        key=key,
        function=function,
        at=at,
        seconds=SPAN,
        weight=weight,
        stable=Arm(failed=stable[0], requests=stable[1]),
        canary=Arm(failed=canary[0], requests=canary[1]),
        probe=probe,
    )


def draw(rng: random.Random, requests: int, rate: float) -> int:
    """How many of the requests are marked; normal where a binomial would take long."""
    mean = requests * rate
    if requests > 200 and min(mean, requests - mean) > 30:
        return min(requests, max(0, round(rng.gauss(mean, (mean * (1 - rate)) ** 0.5))))
    if requests > 200 and mean < 30:
        return min(requests, _poisson(rng, mean))
    return sum(rng.random() < rate for _ in range(requests))


def _poisson(rng: random.Random, mean: float) -> int:
    found, at = 0, rng.expovariate(1)
    while at < mean:
        found, at = found + 1, at + rng.expovariate(1)
    return found


def arm(rng: random.Random, requests: int, rate: float, slower: float = 1.0) -> Arm:
    """One version's requests; `slower` times as many as usual are above each threshold."""
    slow, left, above = [], requests, 1.0
    for quantile in QUANTILES:
        share = min(1.0, quantile * slower)
        left, above = draw(rng, left, share / above), share
        slow.append(left)
    return Arm(requests=requests, failed=draw(rng, requests, rate), warm=requests, slow=tuple(slow))


def release(
    seed: int,
    rates: Callable[[float], tuple[float, float]],
    *,
    rps: float = 100,
    policy: Policy | None = None,
    delay: float = 10.0,
    slower: float = 1.0,
    probes: int = 0,
) -> tuple[Verdict, float, set[Status]]:
    """A simulated release: the last verdict, its seconds, and every status on the way.

    `rates` gives the failure rates of stable and canary at a time; `probes` a second go to each version.
    """
    rng = random.Random(seed)  # noqa: S311
    policy = policy or Policy(longest_hold=7200)
    state = begin({"F": History(rate=rps, error_rate=0.001, requests=5000)})
    time, met, waiting, number = 0.0, set[Status](), list[tuple[float, Batch]](), 0
    verdict = decide(state, policy, Moment(now=time, delay=delay))
    while verdict.status not in ENDS:
        if verdict.weight is not None:
            state = shift(state, verdict.weight, time)
        usual, new = rates(time)
        requests = round(rps * SPAN) if rps * SPAN > 20 else _poisson(rng, rps * SPAN)
        canary = draw(rng, requests, state.weight)
        given = [(requests - canary, canary, False)] + ([(probes * 5, probes * 5, True)] if probes else [])
        for stable, ours, probe in given:
            number += 1
            found = Batch(
                key=f"k{number}",
                function="F",
                at=time,
                seconds=SPAN,
                weight=state.weight,
                stable=arm(rng, stable, usual),
                canary=arm(rng, ours, new, slower),
                probe=probe,
            )
            waiting.append((time + delay, found))
        time += SPAN
        state = observe(state, [found for at, found in waiting if at <= time], policy)
        waiting = [(at, found) for at, found in waiting if at > time]
        verdict = decide(state, policy, Moment(now=time, delay=delay))
        met.add(verdict.status)
    return verdict, time, met
