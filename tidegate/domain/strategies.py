"""How fast traffic may move: the adaptive ramp, or one of the schedules that users know by name.

The names are those of AWS CodeDeploy's and SAM's deployment configurations (AWS CodeDeploy User Guide,
"Deployment configurations on an AWS Lambda compute platform"), with any numbers in them. A schedule says when
traffic would move; whether it does is the judge's, whatever the strategy.
"""

from __future__ import annotations

import math
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from tidegate.domain.identity import Frozen

if TYPE_CHECKING:
    from collections.abc import Collection

ALL: Final = 100.0
ADAPTIVE: Final = "adaptive"
AT_ONCE: Final = "AllAtOnce"
CANARY: Final = re.compile(r"Canary(\d+(?:\.\d+)?)Percent(\d+)Minutes?")
LINEAR: Final = re.compile(r"Linear(\d+(?:\.\d+)?)PercentEvery(\d+)Minutes?")
MOST_STEPS: Final = 200
LONGEST: Final = 3 * 86_400  # seconds that a schedule may take to all traffic
NAMES: Final = "adaptive, AllAtOnce, CanaryXPercentYMinutes or LinearXPercentEveryYMinutes"


class Kind(StrEnum):
    """Who sets the pace: the evidence, or the clock."""

    ADAPTIVE = "adaptive"
    TIMED = "timed"


class Strategy(Frozen):
    """`steps` are the weights before all traffic, in percent, each held for `interval` seconds."""

    name: str
    kind: Kind
    steps: tuple[float, ...] = ()
    interval: float = 0

    @property
    def shifts(self) -> bool:
        """Whether traffic moves in parts at all."""
        return self.kind is Kind.ADAPTIVE or bool(self.steps)

    @property
    def seconds(self) -> float:
        """How long a schedule takes to all traffic; 0 where the evidence sets the pace."""
        return self.interval * len(self.steps)

    def pace(self, factor: float) -> Strategy:
        """The same with its interval as it runs here: 1 on AWS, less in the local cloud."""
        return self.model_copy(update={"interval": self.interval * factor})

    def follow(self, weight: float) -> float:
        """The weight after `weight` in a schedule."""
        return next((step for step in self.steps if step > weight), ALL)


def parse_strategy(name: str) -> Strategy:
    """The strategy of that name; ValueError where there is none, or its numbers make no schedule."""
    if name == ADAPTIVE:
        return Strategy(name=name, kind=Kind.ADAPTIVE)
    if name == AT_ONCE:
        return Strategy(name=name, kind=Kind.TIMED)
    canary, linear = CANARY.fullmatch(name), LINEAR.fullmatch(name)
    found = canary or linear
    if found is None:
        message = f"{name!r} is no strategy; write {NAMES}"
        raise ValueError(message)
    percent, minutes = float(found[1]), int(found[2])
    if not 0 < percent < ALL or not minutes:
        message = (
            f"{name} makes no schedule: a weight is above 0 and below 100 percent, a wait a minute or more"
        )
        raise ValueError(message)
    count = 1 if canary else math.ceil(round(ALL / percent, 6)) - 1
    if count > MOST_STEPS or count * minutes * 60 > LONGEST:
        message = f"{name} makes no schedule: it has {MOST_STEPS} steps at most, and takes 3 days at most"
        raise ValueError(message)
    steps = (percent,) if canary else tuple(_rise(percent))
    return Strategy(name=name, kind=Kind.TIMED, steps=steps, interval=minutes * 60)


def _rise(percent: float) -> list[float]:
    count = 1
    steps = []
    while (weight := round(count * percent, 6)) < ALL:
        steps.append(weight)
        count += 1
    return steps


def choose_slowest(names: Collection[str]) -> str | None:
    """Of the schedules that a template asks for, the longest, since all functions move together."""
    return max(names, key=lambda name: parse_strategy(name).seconds) if names else None
