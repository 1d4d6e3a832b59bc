"""Evidence for promotion: a betting score against "the canary is worse by a margin or more".

For rates p_j on a grid and a margin d the factor of a block is
sum_j pi_j f(data; p_j, p_j) / f(data; t_j, t_j + d) , where t_j minimises
(1 - v) KL(p_j | t) + v KL(p_j | t + d)  (Turner, Ly and Grünwald, arXiv 2106.02693: the reverse information
projection on a convex null hypothesis), and pi is a posterior with fixed share.

Its mean is at most 1 for any (s, c) with c >= s + d, given the arms: the mean of a ratio is
(1 + a_s)^n_s (1 + a_c)^n_c <= exp(n ((1 - v) a_s + v a_c)) with a = (s - t)(p - t) / (t (1 - t)) and the same
for c, t + d. The exponent is linear in (s, c), and at most n |g'(t)| for the derivative g' of the minimised
function: 0 at the minimum. What a root finder leaves of it is subtracted, so validity does not hang on the
root's accuracy. Rates with small pi are left out: the mean is as good for any weights known before the block.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from tidegate.domain.identity import Frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

RATES: Final = tuple(1e-5 * (0.5 / 1e-5) ** (step / 15) for step in range(16))
SHARE: Final = 2e-6  # of the posterior, spread again over all rates for each request of a block
MOST_SHARE: Final = 0.001
KNOWN: Final = 1000.0  # requests of history that count at most
LIGHT: Final = 0.01  # rates that weigh less are left out of a block's score
MARGINS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)  # of which the smallest excluded one is told
STEPS: Final = 60
HEDGE: Final = 0.05  # of the stake that is not bet on a block
MOST: Final = 600.0  # a logarithm that is cut, so that its exponential is finite
PRECISION: Final = 1e-6  # what a block's score may lose by an inexact root, in nats

Counts = tuple[int, int, int, int]  # stable requests and marks, canary requests and marks


class Promotion(Frozen):
    """The posterior over rates, and the logarithm of the score against each margin."""

    rates: tuple[float, ...]
    scores: dict[float, float]


def start(rate: float, requests: float, margins: Sequence[float]) -> Promotion:
    """Half of the posterior as the history has it, half spread evenly."""
    known = min(requests, KNOWN)
    logs = [known * (rate * math.log(p) + (1 - rate) * math.log1p(-p)) for p in RATES]
    told = _normalize(logs)
    even = 1 / len(RATES)
    return Promotion(
        rates=tuple((weight + even) / 2 for weight in told), scores=dict.fromkeys(sorted(margins), 0.0)
    )


def _normalize(logs: Sequence[float]) -> list[float]:
    top = max(logs)
    weights = [math.exp(log - top) for log in logs]
    total = sum(weights)
    return [weight / total for weight in weights]


def learn(promotion: Promotion, requests: int, marked: int) -> Promotion:
    """The posterior after requests of either version, the scores as they were."""
    logs = [
        math.log(weight) + marked * math.log(p) + (requests - marked) * math.log1p(-p)
        for weight, p in zip(promotion.rates, RATES, strict=True)
    ]
    share = min(MOST_SHARE, SHARE * requests)
    rates = tuple((1 - share) * weight + share / len(RATES) for weight in _normalize(logs))
    return Promotion.model_construct(rates=rates, scores=promotion.scores)


def fold(promotion: Promotion, counts: Counts) -> Promotion:
    """The scores and the posterior after a block; the scores stay where an arm is empty."""
    stable, stable_marked, canary, canary_marked = counts
    learned = learn(promotion, stable + canary, stable_marked + canary_marked)
    if not stable or not canary:
        return learned
    heavy = [(p, weight) for p, weight in zip(RATES, promotion.rates, strict=True) if weight >= LIGHT]
    total = sum(weight for _, weight in heavy)
    heavy = [(p, weight / total) for p, weight in heavy]
    scores = {margin: score + gain(counts, heavy, margin) for margin, score in promotion.scores.items()}
    return Promotion.model_construct(rates=learned.rates, scores=scores)


def gain(counts: Counts, rates: Sequence[tuple[float, float]], margin: float) -> float:
    """The logarithm of a block's factor, for (rate, its weight) that are known before the block.

    A part of the stake is kept out of each bet: the mean stays at most 1, and a burst of failures, which no
    rate with weight has foreseen, takes log(HEDGE) away at most, instead of all that calm hours have brought.
    """
    share = counts[2] / (counts[0] + counts[2])
    logs = [math.log(weight) + compare(counts, p, margin, share) for p, weight in rates]
    top = max(logs)
    bet = min(top + math.log(sum(math.exp(log - top) for log in logs)), MOST)
    return math.log(HEDGE + (1 - HEDGE) * math.exp(bet))


def compare(counts: Counts, rate: float, margin: float, share: float) -> float:
    """How much likelier the data is, log f(data; rate, rate) / f(data; t, t + d), less the root's error."""
    stable, stable_marked, canary, canary_marked = counts
    requests = stable + canary
    low, slope = project(rate, margin, share, PRECISION / requests)
    high = low + margin
    return (
        stable_marked * math.log(rate / low)
        + (stable - stable_marked) * math.log((1 - rate) / (1 - low))
        + canary_marked * math.log(rate / high)
        + (canary - canary_marked) * math.log((1 - rate) / (1 - high))
        - requests * abs(slope)
    )


def project(rate: float, margin: float, share: float, precision: float) -> tuple[float, float]:
    """(t, g'(t)) where g(t) = (1 - share) KL(rate | t) + share KL(rate | t + margin) is least.

    g is convex with one minimum in (max(0, rate - margin), min(rate, 1 - margin)); Newton's steps, and a
    bisection where one leaves the bracket. The first guess is the minimum where all rates are small: the root
    of  t^2 + (margin - rate) t - (1 - share) rate margin , from which two steps or so are left.
    """
    below, above = max(0.0, rate - margin), min(rate, 1 - margin)
    half = (margin - rate) / 2
    guess = math.sqrt(half * half + (1 - share) * rate * margin) - half
    at = min(max(guess, below + (above - below) * 1e-3), above - (above - below) * 1e-3)
    slope = 0.0
    for _ in range(STEPS):
        other = at + margin
        low, high = at * (1 - at), other * (1 - other)
        slope = (1 - share) * (at - rate) / low + share * (other - rate) / high
        if abs(slope) <= precision:
            break
        below, above = (at, above) if slope < 0 else (below, at)
        bend = _bend(at, rate, low) * (1 - share) + _bend(other, rate, high) * share
        following = at - slope / bend
        at = following if below < following < above else (below + above) / 2
    return at, slope


def _bend(at: float, rate: float, spread: float) -> float:
    """The second derivative of KL(rate | at), with spread = at (1 - at)."""
    return (spread - (at - rate) * (1 - 2 * at)) / (spread * spread)


def find_excluded(scores: dict[float, float], beta: float) -> float | None:
    """The smallest margin that the data excludes; None where it excludes none.

    Margins are claimed from the largest down, each with its own score and only after all larger ones: so any
    false claim has a probability of at most beta (the hypotheses are nested; a fixed sequence of tests).
    """
    found = None
    for margin in sorted(scores, reverse=True):
        if scores[margin] < -math.log(beta):
            break
        found = margin
    return found


def aim(promotion: Promotion, margin: float) -> Promotion:
    """The same with a score against this margin too; one that is new begins here."""
    if margin in promotion.scores:
        return promotion
    scores = {**promotion.scores, margin: 0.0}
    return promotion.model_copy(update={"scores": dict(sorted(scores.items()))})
