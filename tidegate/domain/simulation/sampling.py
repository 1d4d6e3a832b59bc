"""Random counts, exact and fast in plain Python: the binomial and the Poisson distribution.

The time for a draw does not grow with its mean. Small means: inversion of the distribution function; others:
transformed rejection (W. Hörmann, "The generation of binomial random variates", J. Stat. Comput. Simul. 46,
1993; "The transformed rejection method for generating Poisson random variables", Insurance: Mathematics and
Economics 12, 1993). Python's own `random.binomialvariate` is newer than the oldest Python that is supported.
"""

from __future__ import annotations

import math
from random import Random
from typing import Final

SMALL: Final = 10.0  # the mean from which on rejection is used; its constants hold from there
SQUEEZE: Final = 0.07


class Dice:
    """A source of chance that a seed determines."""

    def __init__(self, seed: str) -> None:
        self._random = Random(seed)  # noqa: S311 (nothing secret depends on it)
        self.uniform = self._random.random

    def exponential(self, mean: float) -> float:
        """A waiting time."""
        return -mean * math.log1p(-self.uniform())

    def binomial(self, n: int, p: float) -> int:
        """How many of `n` trials succeed, each with probability `p`."""
        if n == 0 or p <= 0.0:
            return 0
        if p >= 1.0:
            return n
        if p > 0.5:  # noqa: PLR2004 (the mirror image is the cheaper one)
            return n - self.binomial(n, 1.0 - p)
        return self._invert_binomial(n, p) if n * p < SMALL else self._reject_binomial(n, p)

    def _invert_binomial(self, n: int, p: float) -> int:
        odds = p / (1.0 - p)
        scale = (n + 1) * odds
        first = math.exp(n * math.log1p(-p))
        while True:
            u, k, mass = self.uniform(), 0, first
            while u > mass and k <= n:
                u -= mass
                k += 1
                mass *= scale / k - odds
            if k <= n:  # else rounding has left a rest beyond the last value
                return k

    def _reject_binomial(self, n: int, p: float) -> int:
        """BTRS."""
        deviation = math.sqrt(n * p * (1.0 - p))
        b = 1.15 + 2.53 * deviation
        a = -0.0873 + 0.0248 * b + 0.01 * p
        squeeze = 0.92 - 4.2 / b
        alpha = (2.83 + 5.1 / b) * deviation
        mode = math.floor((n + 1) * p)
        log_odds = math.log(p / (1.0 - p))
        height = math.lgamma(mode + 1) + math.lgamma(n - mode + 1)
        while True:
            u = self.uniform() - 0.5
            v = 1.0 - self.uniform()
            inner = max(0.5 - abs(u), 1e-300)
            k = math.floor((2.0 * a / inner + b) * u + n * p + 0.5)
            if not 0 <= k <= n:
                continue
            if inner >= SQUEEZE and v <= squeeze:
                return k
            bound = height - math.lgamma(k + 1) - math.lgamma(n - k + 1) + (k - mode) * log_odds
            if math.log(v * alpha / (a / (inner * inner) + b)) <= bound:
                return k

    def poisson(self, mean: float) -> int:
        """How many events there are where `mean` are expected."""
        if mean <= 0.0:
            return 0
        return self._invert_poisson(mean) if mean < SMALL else self._reject_poisson(mean)

    def _invert_poisson(self, mean: float) -> int:
        u, k, mass = self.uniform(), 0, math.exp(-mean)
        while u > mass > 0.0:
            u -= mass
            k += 1
            mass *= mean / k
        return k

    def _reject_poisson(self, mean: float) -> int:
        """PTRS."""
        b = 0.931 + 2.53 * math.sqrt(mean)
        a = -0.059 + 0.02483 * b
        alpha = 1.1239 + 1.1328 / (b - 3.4)
        squeeze = 0.9277 - 3.6224 / (b - 2.0)
        log_mean = math.log(mean)
        while True:
            u = self.uniform() - 0.5
            v = 1.0 - self.uniform()
            inner = max(0.5 - abs(u), 1e-300)
            k = math.floor((2.0 * a / inner + b) * u + mean + 0.43)
            if inner >= SQUEEZE and v <= squeeze:
                return k
            if k < 0 or (inner < 0.013 and v > inner):  # noqa: PLR2004 (PTRS)
                continue
            if math.log(v * alpha / (a / (inner * inner) + b)) <= k * log_mean - mean - math.lgamma(k + 1):
                return k
