"""Is the stable version itself worse than it was? Then something that both versions need is failing.

A one-sided CUSUM (Page 1954) of the stable version's failures against its own history. It freezes the ramp
and names the incident; it is never evidence against the canary, nor for it. An incident that the canary has
no part in is not of something that both need: it is the stable version's own, and the canary may be its fix.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from pydantic import Field

from tidegate.domain.identity import Frozen
from tidegate.domain.odds import RISKS, average, factor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .policy import History

Tally = tuple[int, int]  # requests, and how many failed; a log may hold more marks than requests

ALARM: Final = math.log(1e4)
MOST: Final = 2 * ALARM  # so that the end of a long incident shows soon
RISE: Final = 3.0  # the rise of the failure rate that is looked for,
LEAST_RISE: Final = 0.02  # and at least by this much
MEMORY: Final = 20_000.0  # requests of history that count at most
ENOUGH: Final = 500.0  # requests before there is a history to compare with
HOPELESS: Final = 0.9  # a usual failure rate above which nothing worse would show
SPARED: Final = 100.0  # evidence, to one, that the stable version fails more than the canary


class Downstream(Frozen):
    """The CUSUM's score, and what is known of calm times: requests and failures."""

    score: float = 0.0
    requests: float
    failed: float
    spared: tuple[float, ...] = Field(
        (0.0,) * len(RISKS),
        description="by risk ratio, the logarithm of the evidence that an incident passes the canary by",
    )

    def is_alarmed(self, among: int) -> bool:
        """Whether both fail more than the stable one did; the more functions, the surer it must be."""
        return self.score >= ALARM + math.log(among) and average(self.spared) < SPARED

    @property
    def usual(self) -> float:
        """The failure rate of calm times; a little above what was counted."""
        return min(1.0, (self.failed + 0.5) / (self.requests + 1))


def start(history: History) -> Downstream:
    """What is known at the start."""
    requests = min(history.requests, MEMORY)
    return Downstream(requests=requests, failed=requests * history.error_rate)


def follow(found: Downstream, stable: Tally, canary: Tally = (0, 0)) -> Downstream:
    """After requests under one weight, (requests, failed) by version.

    Calm ones of the stable version are learned from; those of an incident are not.
    """
    requests, failed = stable[0], min(stable[1], stable[0])
    if not requests:
        return found
    usual = found.usual
    if found.requests < ENOUGH or usual > HOPELESS:
        return _remember(found, requests, failed)
    raised = min(max(RISE * usual, usual + LEAST_RISE), (1 + usual) / 2)
    step = failed * math.log(raised / usual) + (requests - failed) * math.log((1 - raised) / (1 - usual))
    score = min(max(0.0, found.score + step), MOST)
    if score > 0:
        return found.model_copy(update={"score": score, "spared": _spare(found.spared, stable, canary)})
    return _remember(found, requests, failed)


def _spare(scores: Sequence[float], stable: Tally, canary: Tally) -> tuple[float, ...]:
    """The scores of the judge's evidence with the versions exchanged."""
    if not canary[0]:
        return tuple(scores)
    failed, others = min(stable[1], stable[0]), min(canary[1], canary[0])
    share = stable[0] / (stable[0] + canary[0])
    gains = (factor(failed, failed + others, share, ratio) for ratio in RISKS)
    return tuple(score + gain for score, gain in zip(scores, gains, strict=True))


def _remember(found: Downstream, requests: int, failed: int) -> Downstream:
    total = found.requests + requests
    keep = min(1.0, MEMORY / total)
    return Downstream(requests=total * keep, failed=(found.failed + failed) * keep)
