from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tidegate.domain.simulation.sampling import Dice

if TYPE_CHECKING:
    from collections.abc import Callable

DRAWS = 20_000
# The chance that a right sampler fails one of these tests is below 1e-6; the seed is fixed besides.
DEVIATIONS = 5.0


def binomial_mass(n: int, p: float, k: int) -> float:
    logs = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(logs + k * math.log(p) + (n - k) * math.log1p(-p))


def poisson_mass(mean: float, k: int) -> float:
    return math.exp(k * math.log(mean) - mean - math.lgamma(k + 1))


def check_against(counts: Counter[int], mass: Callable[[int], float]) -> None:
    """Pearson's statistic over the values that are expected at least ten times, the others in one class."""
    likely = {k: DRAWS * mass(k) for k in range(max(counts) + 50) if DRAWS * mass(k) >= 10}
    statistic = sum((counts[k] - expected) ** 2 / expected for k, expected in likely.items())
    rest, left = DRAWS - sum(counts[k] for k in likely), DRAWS - sum(likely.values())
    statistic += (rest - left) ** 2 / max(left, 1.0)
    freedom = len(likely)
    assert statistic < freedom + DEVIATIONS * math.sqrt(2 * freedom) + DEVIATIONS**2


@pytest.mark.parametrize(
    ("n", "p"),
    [
        (1, 0.3),
        (7, 0.5),
        (24, 0.01),
        (500, 0.001),
        (90, 0.11),
        (22, 0.46),
        (120, 0.9),
        (5000, 0.01),
        (50_000, 0.5),
    ],
)
def test_binomial_has_its_exact_distribution(n: int, p: float) -> None:
    dice = Dice(f"{n} {p}")
    counts = Counter(dice.binomial(n, p) for _ in range(DRAWS))
    check_against(counts, lambda k: binomial_mass(n, p, k) if k <= n else 0.0)


@pytest.mark.parametrize("mean", [0.02, 1.0, 9.9, 10.0, 55.0, 5000.0])
def test_poisson_has_its_exact_distribution(mean: float) -> None:
    dice = Dice(str(mean))
    counts = Counter(dice.poisson(mean) for _ in range(DRAWS))
    check_against(counts, lambda k: poisson_mass(mean, k))


def test_waiting_times_have_their_mean() -> None:
    dice = Dice("waiting")
    assert sum(dice.exponential(30) for _ in range(DRAWS)) / DRAWS == pytest.approx(30, rel=0.04)


def test_the_ends_need_no_chance() -> None:
    dice = Dice("ends")
    assert (dice.binomial(0, 0.5), dice.binomial(9, 0.0), dice.binomial(9, 1.0), dice.poisson(0)) == (
        0,
        0,
        9,
        0,
    )


def test_a_seed_determines_all_draws() -> None:
    def draw(seed: str) -> list[int]:
        dice = Dice(seed)
        return [dice.binomial(1000, 0.2) for _ in range(20)] + [dice.poisson(50) for _ in range(20)]

    assert draw("a") == draw("a") != draw("b")
