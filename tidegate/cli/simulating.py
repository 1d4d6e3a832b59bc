"""Replays on all processors, in small parts, so that progress shows and the order of results is fixed."""

from __future__ import annotations

import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import click

from tidegate.domain.simulation.choices import CodeDeployChoice
from tidegate.domain.simulation.replays import Replay, find_threshold, replay
from tidegate.domain.simulation.results import summarize

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tidegate.domain.simulation.results import Summary
    from tidegate.domain.simulation.runs import Run
    from tidegate.domain.simulation.scenarios import Scenario

Item = TypeVar("Item")
PART: Final = 10  # runs of a part; a release may take a tenth of a second to replay
SAMPLES: Final = 5

Key = tuple[str, str]  # the names of a fault and of a policy


class Simulated(NamedTuple):
    """What came of a scenario; `samples` are the first runs of each, `thresholds` those of the alarms."""

    scenario: Scenario
    thresholds: dict[str, float]
    summaries: tuple[Summary, ...]
    samples: dict[Key, tuple[Run, ...]]


def replay_all(scenario: Scenario) -> Simulated:
    """Every policy against every fault; progress goes to stderr."""
    with ProcessPoolExecutor() as pool:
        policies = scenario.policies
        found = pool.map(find_threshold, repeat(scenario), policies)
        limits = list(_watch(found, len(policies), "tuning alarms"))
        parts = [part for number, limit in enumerate(limits) for part in _split(scenario, number, limit)]
        played = pool.map(replay, repeat(scenario), parts)
        runs: dict[Key, list[Run]] = defaultdict(list)
        for part, done in zip(parts, _watch(played, len(parts), "replaying releases"), strict=True):
            runs[part.fault.name, part.choice.name] += done
    thresholds = {
        choice.name: limit
        for choice, limit in zip(policies, limits, strict=True)
        if isinstance(choice, CodeDeployChoice)
    }
    samples = {key: tuple(found[:SAMPLES]) for key, found in runs.items()}
    return Simulated(scenario, thresholds, tuple(_sum_up(scenario, runs)), samples)


def _split(scenario: Scenario, number: int, threshold: float) -> Iterator[Replay]:
    choice = scenario.policies[number]
    for fault in scenario.every_fault:
        for first in range(0, scenario.runs, PART):
            yield Replay(choice, fault, threshold, first, min(first + PART, scenario.runs))


def _watch(items: Iterable[Item], length: int, label: str) -> Iterator[Item]:
    """The items, with a bar where a terminal shows it."""
    with click.progressbar(items, length=length, label=label, file=sys.stderr) as watched:
        yield from watched


def _sum_up(scenario: Scenario, runs: dict[Key, list[Run]]) -> Iterator[Summary]:
    for fault in scenario.every_fault:
        for choice in scenario.policies:
            found = runs[fault.name, choice.name]
            yield summarize(fault.name, fault.after, choice.name, found, healthy=fault.harmless)
