"""Evidence against the canary: betting scores on which version the marked requests fell, for each signal.

For a risk ratio r the score is the product over blocks of  r^k_c / (1 + v (r - 1))^k , where k_c of k marked
requests fell on the canary and v = n_c / n is the share of requests that it got. Null hypothesis: a mark does
not depend on the version. Given n, n_c and k, k_c is hypergeometric, the factor is convex in k_c, so its mean
is at most that over the binomial with the same mean, which is 1 (Hoeffding 1963, theorem 4). The product is a
nonnegative supermartingale whatever the error pattern, drift, bursts, looks and (predictable) weights, and
exceeds 1/a with a probability of at most a (Ville 1939). Means of such scores are such scores.

v is the realised share, never the nominal weight: that is wrong where routing is off, and, since blocks
of one version alone are left out, it is wrong for small blocks even where routing is exact (a mean above 1).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from tidegate.domain.identity import Frozen
from tidegate.domain.odds import RISKS
from tidegate.domain.signals import Mode, Signal

from .arms import Pair, count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .policy import Policy

SLOWDOWNS: Final = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
RATIOS: Final = {
    Signal.ERRORS: RISKS,
    Signal.TIMEOUTS: RISKS,
    Signal.LATENCY: SLOWDOWNS,
    Signal.COST: SLOWDOWNS,
    Signal.INIT: SLOWDOWNS,
}
SHARES: Final = (
    ((Signal.ERRORS,), 0.5),
    ((Signal.LATENCY,), 0.3),
    ((Signal.TIMEOUTS, Signal.COST, Signal.INIT), 0.2),
)
RESTART: Final = 0.02  # of what is left for late faults, put in at each batch with marks
NOTHING: Final = -700.0  # the logarithm of no stake
MOST: Final = 690.0  # above it a logarithm is cut, so that sums over functions stay finite

Scores = tuple[tuple[float, ...], ...]  # logarithms: by threshold, by ratio


class Evidence(Frozen):
    """One signal's scores: from the start, and those that begin again at each batch (for late faults)."""

    steady: Scores = ()
    fresh: Scores = ()
    spare: float = 1.0


def fold(evidence: Evidence, arms: Pair, signal: Signal, *, late: bool) -> Evidence:
    """The evidence after a block of requests; unchanged where an arm is empty or nothing is marked."""
    stable_requests, stable = count(arms[0], signal)
    canary_requests, canary = count(arms[1], signal)
    if not stable_requests or not canary_requests or len(stable) != len(canary) or not any(stable + canary):
        return evidence
    share = canary_requests / (stable_requests + canary_requests)
    steps = [(math.log(ratio), math.log1p(share * (ratio - 1))) for ratio in RATIOS[signal]]
    gains = tuple(
        tuple(marks * up - (marks + other) * down for up, down in steps)
        for marks, other in zip(canary, stable, strict=True)
    )
    steady = _add(evidence.steady or _fill(gains, 0.0), gains)
    if not late:
        return Evidence.model_construct(steady=steady, fresh=evidence.fresh, spare=evidence.spare)
    stake = evidence.spare * RESTART
    entered = _enter(evidence.fresh or _fill(gains, NOTHING), stake)
    return Evidence.model_construct(steady=steady, fresh=_add(entered, gains), spare=evidence.spare - stake)


def _fill(like: Scores, value: float) -> Scores:
    return tuple((value,) * len(row) for row in like)


def _add(scores: Scores, gains: Scores) -> Scores:
    return tuple(
        tuple(a + b for a, b in zip(row, gain, strict=True)) for row, gain in zip(scores, gains, strict=True)
    )


def _enter(scores: Scores, stake: float) -> Scores:
    """The stake put on every score: log(e^score + stake)."""
    log = math.log(stake)
    return tuple(
        tuple(max(score, log) + math.log1p(math.exp(-abs(score - log))) for score in row) for row in scores
    )


def weigh(evidence: Evidence | None, *, late: bool) -> float:
    """The evidence to one; 1 where there is none. With `late` half of the stake is on late faults."""
    if evidence is None or not evidence.steady:
        return 1.0
    steady = _mean([_mean([_exp(score) for score in row]) for row in evidence.steady])
    if not late:
        return steady
    fresh = (
        _mean([_mean([_exp(score) for score in row]) for row in evidence.fresh]) if evidence.fresh else 0.0
    )
    return (steady + fresh + evidence.spare) / 2


def weigh_thresholds(evidence: Evidence) -> tuple[float, ...]:
    """The evidence by threshold, from the start."""
    return tuple(_mean([_exp(score) for score in row]) for row in evidence.steady)


def _exp(score: float) -> float:
    return math.exp(min(score, MOST))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def signal_shares(policy: Policy) -> dict[Signal, float]:
    """What share of the stake each enforced signal has: 0.5, 0.3 and 0.2 for the rest, scaled to sum to 1."""
    groups = [
        ([signal for signal in signals if policy.mode(signal) is Mode.ENFORCE], share)
        for signals, share in SHARES
    ]
    total = sum(share for signals, share in groups if signals)
    return {signal: share / total / len(signals) for signals, share in groups for signal in signals}


def combine(strengths: Mapping[Signal, float], policy: Policy) -> float:
    """One function's evidence over its enforced signals: a weighted mean, valid under any dependence."""
    shares = signal_shares(policy)
    if not shares:
        return 1.0
    return sum(share * strengths.get(signal, 1.0) for signal, share in shares.items())


def pool(strengths: Sequence[float]) -> float:
    """The evidence over all functions: the mean.

    The arithmetic mean of e-values is one under any dependence, and no symmetric merging function is
    essentially better (Vovk and Wang, "E-values: calibration, combination and applications", Annals of
    Statistics 49, 2021, proposition 3.1). So the threshold stays 1/alpha for any number of functions.
    """
    return _mean(strengths) if strengths else 1.0
