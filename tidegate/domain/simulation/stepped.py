"""CodeDeploy's configurations for Lambda with a CloudWatch alarm: fixed steps at fixed times.

The alarm is watched from the first shift until all traffic has moved; then the deployment has ended. Source:
AWS CodeDeploy User Guide, "Deployment configurations on an AWS Lambda compute platform" and "Monitoring
deployments with Amazon CloudWatch alarms". A threshold can be tuned on healthy releases of the same traffic,
with a hindsight that nobody has.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from tidegate.domain.simulation.alarms import PERIOD, Alarm, Minutes
from tidegate.domain.simulation.runs import End, Move
from tidegate.domain.simulation.worlds import TICK
from tidegate.domain.strategies import ALL, parse_strategy

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tidegate.domain.simulation.choices import AlarmSettings
    from tidegate.domain.simulation.sampling import Dice
    from tidegate.domain.simulation.worlds import Tick

FALSE: Final = 0.01  # of the healthy releases may be rolled back by a tuned alarm


class Stepped:
    """A driver of fixed steps: (seconds, weight), the last one all traffic."""

    def __init__(
        self, steps: Iterable[tuple[float, float]], settings: AlarmSettings, threshold: float, dice: Dice
    ) -> None:
        self._steps = list(steps)
        self._delay = float(settings.delay)
        self._minutes = Minutes(-TICK * math.floor(dice.uniform() * PERIOD / TICK))
        self.alarm = Alarm(settings, threshold)

    def look(self, now: float) -> Move | None:
        """The alarm first, then the next step."""
        if any(self.alarm.evaluate(*minute) for minute in self._minutes.read(now, self._delay)):
            return Move(end=End.ROLLED_BACK)
        if now < self._steps[0][0]:
            return None
        weight = self._steps.pop(0)[1]
        return Move(weight) if self._steps else Move(end=End.PROMOTED)

    def see(self, tick: Tick) -> None:
        """For the alarm, which sees both versions as one."""
        self._minutes.see(tick)


def plan_steps(strategy: str) -> list[tuple[float, float]]:
    """The steps of `Canary10Percent5Minutes`, `Linear10PercentEvery1Minute` or `AllAtOnce`."""
    schedule = parse_strategy(strategy)
    weights = (*schedule.steps, ALL)
    return [(number * schedule.interval, weight / ALL) for number, weight in enumerate(weights)]


def tune(highest: Sequence[float]) -> float:
    """The least threshold above which at most 1 % of healthy releases come, by their highest rates."""
    ranked = sorted(highest)
    return ranked[min(len(ranked) - 1, math.ceil((1 - FALSE) * len(ranked)) - 1)]
