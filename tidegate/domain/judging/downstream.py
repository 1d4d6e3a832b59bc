"""Is the stable version itself worse than it was? Then something that both versions need is failing.

A one-sided CUSUM (Page 1954) of the stable version's failures against its own history. It freezes the ramp
and names the incident; it is never evidence against the canary, nor for it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from tidegate.domain.identity import Frozen

if TYPE_CHECKING:
    from .policy import History

ALARM: Final = math.log(1e4)
MOST: Final = 2 * ALARM  # so that the end of a long incident shows soon
RISE: Final = 3.0  # the rise of the failure rate that is looked for,
LEAST_RISE: Final = 0.02  # and at least by this much
MEMORY: Final = 20_000.0  # requests of history that count at most
ENOUGH: Final = 500.0  # requests before there is a history to compare with


class Downstream(Frozen):
    """The CUSUM's score, and what is known of calm times: requests and failures."""

    score: float = 0.0
    requests: float
    failed: float

    def is_alarmed(self, among: int) -> bool:
        """Whether the stable version fails more than it did; the more functions, the surer it must be."""
        return self.score >= ALARM + math.log(among)

    @property
    def usual(self) -> float:
        """The failure rate of calm times; a little above what was counted."""
        return min(0.9, (self.failed + 0.5) / (self.requests + 1))


def start(history: History) -> Downstream:
    """What is known at the start."""
    requests = min(history.requests, MEMORY)
    return Downstream(requests=requests, failed=requests * history.error_rate)


def follow(found: Downstream, requests: int, failed: int) -> Downstream:
    """After requests of the stable version. Calm ones are learned from; those of an incident are not."""
    if not requests:
        return found
    failed = min(failed, requests)
    if found.requests < ENOUGH:
        return _remember(found, requests, failed)
    usual = found.usual
    raised = min(max(RISE * usual, usual + LEAST_RISE), (1 + usual) / 2)
    step = failed * math.log(raised / usual) + (requests - failed) * math.log((1 - raised) / (1 - usual))
    score = min(max(0.0, found.score + step), MOST)
    if score > 0:
        return found.model_copy(update={"score": score})
    return _remember(found, requests, failed)


def _remember(found: Downstream, requests: int, failed: int) -> Downstream:
    total = found.requests + requests
    keep = min(1.0, MEMORY / total)
    return Downstream(requests=total * keep, failed=(found.failed + failed) * keep)
