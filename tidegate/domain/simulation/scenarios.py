"""What is replayed: the traffic of a function, the faults of its new version, and how often.

Shares are written `0.1%` or as a fraction, durations `90s`, `5m`, `2h`. A fault may be one text:
`+2%`, `outage`, `latency x2`, `timeouts 5%`, `sticky 10%`, each also `… after 10m`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field, field_validator, model_validator

from tidegate.domain.config import Duration, parse_duration, show_duration
from tidegate.domain.identity import Frozen
from tidegate.domain.simulation.choices import DEFAULT_CHOICES, Choice, Share, Source

if TYPE_CHECKING:
    from tidegate.domain.simulation.results import Interval

FAULTS: Final = {
    r"\+?(?P<errors>[\d.]+\s*%)": "errors",
    r"outage": "outage",
    r"latency\s*x?\s*(?P<latency>[\d.]+)": "latency",
    r"timeouts\s*\+?(?P<timeouts>[\d.]+\s*%)": "timeouts",
    r"sticky\s*(?P<sticky>[\d.]+\s*%)": "sticky",
}
HEALTHY: Final = "healthy"


class Bursts(Frozen):
    """Errors that hit both versions, as a failing downstream makes them: by chance, all the time."""

    every: Duration = Field(600, ge=1, description="mean time from the end of a burst to the next one")
    lasts: Duration = Field(60, ge=1, description="mean length of a burst")
    errors: Share = Field(0.3, description="share of the requests that fail in a burst")


class Traffic(Frozen):
    """The requests of one function, and how its stable version fails."""

    rate: float = Field(100.0, gt=0, le=100_000, description="requests per second, on average over a day")
    baseline: Share = Field(0.001, description="share of the requests that fail on a healthy version")
    daily: Share = Field(0.0, description="swing of the rate over a day, as a share of it; least at 3:00")
    hour: float = Field(12.0, ge=0, le=24, description="the time of day at which the release starts")
    bursts: Bursts | None = Field(None, description="errors on both versions")
    routing: float = Field(
        1.0, gt=0, le=5, description="the share that the new version gets, by the weight that was asked for"
    )
    duration: float = Field(0.1, gt=0, le=900, description="mean duration of a request, in seconds")
    spread: float = Field(0.5, gt=0, le=3, description="deviation of the logarithm of the durations")
    sick: float = Field(
        0.0, ge=0, le=100, description="how often an hour an environment falls sick, and fails all it gets"
    )


class Fault(Frozen):
    """How the new version is worse than the stable one; all parts may be given together."""

    errors: Share = Field(0.0, description="share of requests that fail in addition; 1 is an outage")
    timeouts: Share = Field(0.0, description="share of requests that time out in addition")
    sticky: Share = Field(0.0, description="share of the new version's environments that fail all they get")
    latency: float = Field(1.0, gt=0, le=1000, description="factor on all durations")
    after: Duration = Field(0, description="how long after the release's start the fault begins")

    @model_validator(mode="before")
    @classmethod
    def _read_text(cls, value: object) -> object:
        return parse_fault(value) if isinstance(value, (str, int, float)) else value

    @property
    def harmless(self) -> bool:
        """Whether nothing is wrong with the version."""
        return self.errors + self.timeouts + self.sticky == 0 and self.latency <= 1

    @property
    def name(self) -> str:
        """As it is written."""
        if self.harmless:
            return HEALTHY
        parts = [
            "outage" if self.errors == 1 else f"+{show_share(self.errors)}" if self.errors else "",
            f"timeouts {show_share(self.timeouts)}" if self.timeouts else "",
            f"sticky {show_share(self.sticky)}" if self.sticky else "",
            f"latency x{self.latency:g}" if self.latency != 1 else "",
        ]
        late = f" after {show_duration(self.after)}" if self.after else ""
        return ", ".join(part for part in parts if part) + late


class Scenario(Frozen):
    """The whole of a scenario's file. A healthy version is always replayed beside the faults."""

    traffic: Traffic = Field(default_factory=Traffic, description="the requests")
    faults: tuple[Fault, ...] = Field(
        (Fault(errors=0.02), Fault(errors=1.0)), description="what may be wrong with the new version"
    )
    policies: tuple[Choice, ...] = Field(
        DEFAULT_CHOICES, description="what is compared: names, or names with settings"
    )
    source: Source = Field(Source.TELEMETRY, description="what the judge and checks see, unless they say")
    runs: int = Field(200, ge=1, le=1_000_000, description="replays of each policy and fault")
    seed: int = Field(1, description="the same seed gives the same replays")
    horizon: Duration = Field(3600, ge=60, description="failed requests are counted up to here, promoted too")
    longest: Duration = Field(21_600, ge=60, description="a release without an end is given up after this")
    restore: float = Field(2.0, ge=0, le=60, description="seconds until a write of the alias has spread")

    @field_validator("policies")
    @classmethod
    def _check_policies(cls, policies: tuple[Choice, ...]) -> tuple[Choice, ...]:
        if not policies:
            raise ValueError("at least one policy is needed")
        names = [policy.name for policy in policies]
        for name in names:
            if names.count(name) > 1:
                message = f"{name} stands twice; give one of them a `name`"
                raise ValueError(message)
        return policies

    @property
    def every_fault(self) -> tuple[Fault, ...]:
        """The faults, and no fault before them."""
        return (Fault(), *(fault for fault in self.faults if not fault.harmless))


def parse_fault(value: object) -> dict[str, Any]:
    """The parts of a fault that is written as one text; ValueError says how one is written."""
    what, _, late = str(value).strip().partition(" after ")
    if what.strip() == HEALTHY and not late:
        return {}
    for pattern, kind in FAULTS.items():
        match = re.fullmatch(pattern, what.strip())
        if match:
            part = {"errors": 1.0} if kind == "outage" else {kind: match[kind]}
            return part | ({"after": parse_duration(late.strip())} if late else {})
    message = (
        f"{value!r} is no fault; write +2%, outage, latency x2, timeouts 5% or sticky 10%, "
        f"and `after 10m` behind it where it comes late"
    )
    raise ValueError(message)


def show_share(share: float) -> str:
    """`0.1 %`, without zeros that say nothing."""
    return f"{100 * share:.4g} %"


def show_interval(interval: Interval) -> str:
    """`0.05 to 1.2 %`."""
    low, high = (round(100 * share, 4) for share in (interval.low, interval.high))
    return f"{low:.3g} to {high:.3g} %"
