"""Sums of arms, and which requests of an arm a signal marks."""

from __future__ import annotations

from tidegate.domain.batches import Arm, Batch
from tidegate.domain.signals import Signal

Pair = tuple[Arm, Arm]  # the stable and the canary version's
EMPTY = Arm()
QUANTILES = ("q75", "q90", "q95", "q99")
Q95 = 2  # its place among them; counts by other thresholds are compared, but are no evidence for a promotion


def add(one: Arm, other: Arm) -> Arm:
    """Both together; thresholds are known of the sum where they are known of each that has warm requests."""
    if not other.requests:
        return one
    if not one.requests:
        return other
    return Arm(
        requests=one.requests + other.requests,
        failed=one.failed + other.failed,
        timed_out=one.timed_out + other.timed_out,
        warm=one.warm + other.warm,
        slow=_add_counts(one.slow, other.slow, one.warm, other.warm),
        costly=_add_counts(one.costly, other.costly, one.warm, other.warm),
        cold=one.cold + other.cold,
        init=one.init + other.init,
        slow_inits=_add_counts(one.slow_inits, other.slow_inits, one.cold, other.cold),
        billed=one.billed + other.billed,
    )


def _add_counts(one: tuple[int, ...], other: tuple[int, ...], warm: int, other_warm: int) -> tuple[int, ...]:
    if not warm:
        return other
    if not other_warm:
        return one
    return tuple(a + b for a, b in zip(one, other, strict=True)) if one and other else ()


def add_pairs(one: Pair, other: Pair) -> Pair:
    """Arm by arm."""
    return add(one[0], other[0]), add(one[1], other[1])


def pair(batch: Batch) -> Pair:
    """The arms of a batch."""
    return batch.stable, batch.canary


def size(arms: Pair) -> int:
    """The requests of both."""
    return arms[0].requests + arms[1].requests


def is_comparable(arms: Pair) -> bool:
    """Whether both versions had requests."""
    return arms[0].requests > 0 and arms[1].requests > 0


def count(arm: Arm, signal: Signal) -> tuple[int, tuple[int, ...]]:
    """(requests, marked ones by threshold): one threshold for errors and timeouts, some or none for others.

    Latency and cost are of warm requests, the init of cold ones: those are all that it is compared among.

    A log may hold more failure marks than its span has requests; no more than all of them have failed.
    """
    if signal is Signal.ERRORS:
        return arm.requests, (min(arm.failed, arm.requests),)
    if signal is Signal.TIMEOUTS:
        return arm.requests, (min(arm.timed_out, arm.requests),)
    if signal is Signal.INIT:
        return arm.cold, tuple(min(marks, arm.cold) for marks in arm.slow_inits)
    marked = arm.slow if signal is Signal.LATENCY else arm.costly
    return arm.warm, tuple(min(marks, arm.warm) for marks in marked)
