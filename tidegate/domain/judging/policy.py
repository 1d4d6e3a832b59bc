"""What the operator decides and what is known beforehand: policy, history, moment.

Values only. All shares are 0 to 1, durations are seconds; nothing here knows a clock.
"""

from __future__ import annotations

from pydantic import Field

from tidegate.domain.identity import Frozen
from tidegate.domain.signals import MODES, Mode, Signal


class Policy(Frozen):
    """How sure the judge must be, and how fast it may expose users.

    `alpha` bounds the probability of a false rollback over a whole release, whatever the number of looks and
    functions; `beta` that of promoting a function that is worse by a margin.
    """

    alpha: float = Field(0.01, gt=0, lt=1)
    beta: float = Field(0.01, gt=0, lt=1)
    margin: float = Field(0.005, gt=0, lt=1, description="additional failures that a promotion must exclude")
    slow_margin: float = Field(
        0.02, gt=0, lt=1, description="additional requests above the historic q95 that it must exclude"
    )
    top: float = Field(0.5, gt=0, lt=1, description="the greatest weight before the promotion")
    bottom: float = Field(0.001, gt=0, lt=1, description="the least weight")
    first: float = Field(0.1, gt=0, lt=1, description="the greatest weight before a first request is judged")
    growth: float = Field(3.0, gt=1, description="exposed requests for each judged one")
    seed: float = Field(2.0, gt=0, description="canary requests that may be exposed before any is judged")
    least_seconds: float = Field(60, ge=0, description="least time under canary before a promotion")
    longest_hold: float = Field(
        3600, gt=0, description="time from the first shift until evidence must suffice"
    )
    minimum: int = Field(20, ge=0, description="canary requests of users that each function must have had")
    failure_limit: int | None = Field(
        None,
        ge=1,
        description="failed canary requests that end a release whatever the stable version does: quicker "
        "where nothing ever fails, outside alpha, and reached by any burst that hits both versions",
    )
    late: bool = Field(default=False, description="also weigh faults that begin late in the rollout")
    modes: dict[Signal, Mode] = Field(default_factory=dict, description="where they differ from the defaults")

    def mode(self, signal: Signal) -> Mode:
        """What a signal may do."""
        return self.modes.get(signal, MODES[signal])

    @property
    def threshold(self) -> float:
        """The evidence, to one, from which on a release is rolled back."""
        return 1 / self.alpha


class History(Frozen):
    """What is known of a function's stable version. The default knows nothing and learns from the rollout."""

    error_rate: float = Field(0.001, ge=0, le=1, description="the share of requests that failed")
    requests: float = Field(0, ge=0, description="the requests that this is known from")
    rate: float | None = Field(None, ge=0, description="requests a second, both versions together")


class Moment(Frozen):
    """When the judge is asked. `delay` is the time in seconds from a request's start to its being judged."""

    now: float
    delay: float = Field(gt=0)
    holds: tuple[str, ...] = Field((), description="sentences of signals that belong to both versions")
    broken: tuple[str, ...] = Field((), description="the same of those that end a release outside alpha")
