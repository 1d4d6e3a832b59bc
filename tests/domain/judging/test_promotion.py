"""Evidence for promotion: a mean of at most 1 wherever the canary is worse by the margin, and its roots.

scipy is the oracle: exact binomial laws, and a root finder and a minimiser of its own.
"""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import kl_div
from scipy.stats import binom

from tidegate.domain.judging.promotion import (
    HEDGE,
    MARGINS,
    RATES,
    aim,
    compare,
    find_excluded,
    fold,
    gain,
    project,
    start,
)


def kl(p: float, q: float) -> float:
    return float(kl_div(p, q) + kl_div(1 - p, 1 - q))


@given(st.sampled_from(RATES), st.sampled_from(MARGINS), st.floats(0.001, 0.999))
def test_a_projection_is_where_the_divergence_is_least(rate: float, margin: float, share: float) -> None:
    found, slope = project(rate, margin, share, 1e-9)
    low, high = max(1e-15, rate - margin), min(rate, 1 - margin)

    def divergence(at: float) -> float:
        return (1 - share) * kl(rate, at) + share * kl(rate, at + margin)

    best = minimize_scalar(divergence, bounds=(low, high), method="bounded", options={"xatol": 1e-12})
    assert divergence(found) <= best.fun + 1e-9
    assert abs(slope) < 1e-3


def means(n_s: int, n_c: int, margin: float, worse: float) -> list[float]:
    """The exact mean of one block's factor, for rates of the null hypothesis on a grid."""
    rates = list(zip(RATES[::3], [0.1, 0.2, 0.3, 0.1, 0.2, 0.1], strict=True))
    factors = {
        (k_s, k_c): math.exp(gain((n_s, k_s, n_c, k_c), rates, margin))
        for k_s in range(n_s + 1)
        for k_c in range(n_c + 1)
    }
    found = []
    for low in (0.0, 1e-4, 0.01, 0.1, 0.3, 0.5, 0.79):
        high = min(1.0, low + margin + worse)
        if high - low < margin:
            continue
        stable, canary = binom.pmf(range(n_s + 1), n_s, low), binom.pmf(range(n_c + 1), n_c, high)
        found.append(sum(float(stable[s] * canary[c]) * value for (s, c), value in factors.items()))
    return found


@pytest.mark.parametrize("requests", [2, 3, 5, 8, 13, 24])
def test_its_mean_is_at_most_one_where_the_canary_is_worse(requests: int) -> None:
    for n_c in sorted({1, requests // 3 or 1, requests // 2, requests - 1}):
        for margin, worse in itertools.product((0.005, 0.05, 0.2), (0.0, 0.01, 0.2)):
            assert max(means(requests - n_c, n_c, margin, worse)) <= 1 + 1e-9


def test_a_crude_root_keeps_it_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a root finder leaves over is paid for."""
    monkeypatch.setattr("tidegate.domain.judging.promotion.STEPS", 2)
    assert max(means(16, 8, 0.05, 0.0)) <= 1 + 1e-9


@given(st.integers(0, 300), st.integers(1, 300), st.integers(0, 300), st.sampled_from(MARGINS))
def test_a_canary_without_failures_speaks_for_it(n_s: int, n_c: int, k_s: int, margin: float) -> None:
    if n_s:
        counts = (n_s, min(k_s, n_s), n_c, 0)
        worse = (n_s, min(k_s, n_s), n_c, n_c)
        share = n_c / (n_s + n_c)
        assert compare(counts, 0.01, margin, share) > compare(worse, 0.01, margin, share)


def test_scores_stay_where_an_arm_is_empty() -> None:
    before = start(0.01, 1000, MARGINS)
    for counts in ((500, 5, 0, 0), (0, 0, 500, 5)):
        after = fold(before, counts)
        assert after.scores == before.scores
        assert after.rates != before.rates


def test_enough_equal_requests_exclude_a_margin_and_the_larger_ones_first() -> None:
    found, told = start(0.01, 0, MARGINS), []
    for _ in range(60):
        found = fold(found, (500, 5, 500, 5))
        told.append(find_excluded(found.scores, 0.01))
    assert told[0] in {None, 0.05, 0.1, 0.2}
    assert told[-1] == 0.005
    known = [each for each in told if each is not None]
    assert known == sorted(known, reverse=True)


def test_a_smaller_margin_is_not_claimed_before_a_larger_one() -> None:
    assert find_excluded({0.005: 9.0, 0.1: 1.0, 0.2: 9.0}, 0.01) == 0.2
    assert find_excluded({0.005: 9.0, 0.1: 9.0, 0.2: 1.0}, 0.01) is None


def test_a_margin_of_its_own_begins_where_it_is_named() -> None:
    found = aim(fold(start(0.01, 0, MARGINS), (500, 5, 500, 5)), 0.003)
    assert found.scores[0.003] == 0
    assert list(found.scores) == sorted(found.scores)


def test_a_burst_that_nobody_foresaw_takes_little_of_what_calm_hours_have_brought() -> None:
    calm = start(0.001, 100_000, MARGINS)
    for _ in range(40):
        calm = fold(calm, (500, 0, 500, 1))
    struck = fold(calm, (500, 150, 500, 150))
    for margin, score in calm.scores.items():
        assert struck.scores[margin] >= score + math.log(HEDGE) - 1e-9
    assert calm.scores[0.005] > math.log(100)
