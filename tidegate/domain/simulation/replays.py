"""From a scenario to runs: who drives, by which seeds, and the thresholds that are tuned first.

A run is determined by the scenario's seed, the policy, the fault and its number, so that runs can be made in
any order and on any number of processes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from tidegate.domain.simulation.adaptive import VIEWS, Adaptive, recall
from tidegate.domain.simulation.checking import Checking
from tidegate.domain.simulation.choices import AdaptiveChoice, CodeDeployChoice, FlaggerChoice
from tidegate.domain.simulation.runs import Timing, play
from tidegate.domain.simulation.sampling import Dice
from tidegate.domain.simulation.scenarios import Fault
from tidegate.domain.simulation.stepped import Stepped, plan_steps, tune
from tidegate.domain.simulation.worlds import World

if TYPE_CHECKING:
    from tidegate.domain.simulation.choices import Choice
    from tidegate.domain.simulation.runs import Driver, Run
    from tidegate.domain.simulation.scenarios import Scenario

TUNING_RUNS: Final = 2000


class Replay(NamedTuple):
    """Runs `first` to `last` (not included) of one policy against one fault; `threshold` of its alarm."""

    choice: Choice
    fault: Fault
    threshold: float
    first: int
    last: int


def find_threshold(scenario: Scenario, choice: Choice, runs: int = TUNING_RUNS) -> float:
    """The error rate above which a policy's alarm fires; where it is to be tuned, by healthy releases."""
    if not isinstance(choice, CodeDeployChoice):
        return math.inf
    told = choice.alarm.threshold
    if not isinstance(told, str):
        return told
    return tune([_measure_highest(scenario, choice, number) for number in range(runs)])


def replay(scenario: Scenario, asked: Replay) -> list[Run]:
    """The runs that are asked for."""
    return [_play_one(scenario, asked, number) for number in range(asked.first, asked.last)]


def _play_one(scenario: Scenario, asked: Replay, number: int) -> Run:
    dice = Dice(f"{scenario.seed}/{asked.choice.name}/{asked.fault.name}/{number}")
    driver = _make_driver(scenario, asked.choice, asked.threshold, dice)
    detailed = isinstance(asked.choice, AdaptiveChoice)
    world = World(scenario.traffic, asked.fault, dice, scenario.restore, detailed=detailed)
    return play(driver, world, Timing(scenario.horizon, scenario.longest, scenario.restore))


def _make_driver(scenario: Scenario, choice: Choice, threshold: float, dice: Dice) -> Driver:
    if isinstance(choice, CodeDeployChoice):
        return Stepped(plan_steps(choice.strategy), choice.alarm, threshold, dice)
    source = choice.source or scenario.source
    if isinstance(choice, FlaggerChoice):
        return Checking(choice, VIEWS[source].delay)
    return Adaptive(choice, recall(scenario.traffic, dice), source, dice)


def _measure_highest(scenario: Scenario, choice: CodeDeployChoice, number: int) -> float:
    dice = Dice(f"{scenario.seed}/tuning/{choice.name}/{number}")
    driver = Stepped(plan_steps(choice.strategy), choice.alarm, math.inf, dice)
    world = World(scenario.traffic, Fault(), dice, scenario.restore, detailed=False)
    play(driver, world, Timing(0.0, scenario.longest, 0.0))
    return driver.alarm.highest
