"""`python -m benchmarks judging`: the judge against CodeDeploy's canary, over traffic, baselines and faults.

24 cells: 10, 100 and 1000 requests a second; 0.1 and 1 % that fail anyhow; versions that fail 0.5, 2, 10 and
100 points more. Compared is Canary10Percent5Minutes with an alarm on the alias that is tuned with hindsight,
on the same traffic, to 1 % false rollbacks. Failed requests are those that the stable version would not have
failed, from the first shift to a horizon, so that a bad version that was promoted goes on failing; the ratio
is given for two horizons. Each share has its 95 % interval (Wilson).
"""

from __future__ import annotations

import math
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import product, repeat
from statistics import fmean
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import click

from benchmarks.judging_tables import HORIZONS, Cell, show, tell
from tidegate.cli.screens import duration, show_json
from tidegate.domain.config import OnInsufficientEvidence, StageConfig
from tidegate.domain.simulation.choices import AdaptiveChoice, CodeDeployChoice
from tidegate.domain.simulation.replays import Replay, find_threshold, replay
from tidegate.domain.simulation.results import summarize
from tidegate.domain.simulation.runs import count_failed
from tidegate.domain.simulation.scenarios import Bursts, Fault, Scenario, Traffic

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tidegate.domain.simulation.choices import Choice
    from tidegate.domain.simulation.runs import Run

Item = TypeVar("Item")
RATES: Final = (10, 100, 1000)
BASELINES: Final = (0.001, 0.01)
ERRORS: Final = (0.005, 0.02, 0.1, 1.0)
SEED: Final = 2026
RUNS: Final = {10: 250, 100: 600, 1000: 600}  # by rate: the fewer requests, the longer a release
PEER_RUNS: Final = 400
PART: Final = 25
BURSTS: Final = Bursts(every=120, lasts=30, errors=0.3)
# What is not decided in an hour goes back: it shall neither count as found out nor as promoted.
OURS: Final = AdaptiveChoice(stage=StageConfig(on_insufficient_evidence=OnInsufficientEvidence.ROLLBACK))
PEER: Final = CodeDeployChoice(strategy="Canary10Percent5Minutes")
FIXED: Final = CodeDeployChoice.model_validate(
    {"strategy": "Canary10Percent5Minutes", "alarm": {"threshold": "5%"}}
)
SURE: Final = 0.01  # the greatest share of false rollbacks that Wald's bound allows


class Task(NamedTuple):
    """Runs of one policy under one traffic against one fault."""

    scenario: Scenario
    choice: Choice
    fault: Fault
    threshold: float
    runs: int


def measure(*, as_json: bool) -> None:
    """Replay all cells and print them; about four minutes on two processors."""
    started = time.monotonic()
    steady = [_scenario(rate, baseline) for rate, baseline in product(RATES, BASELINES)]
    struck = [_scenario(rate, baseline, BURSTS) for rate, baseline in product(RATES, BASELINES)]
    with ProcessPoolExecutor() as pool:
        limits = list(pool.map(find_threshold, steady, repeat(PEER)))
        tasks = [task for pair in zip(steady, limits, strict=True) for task in _plan(*pair)]
        tasks += [task for scenario in struck for task in _plan_bursts(scenario)]
        runs = _play(pool, tasks)
    cells = [_compare(*pair) for pair in zip(_pairs(tasks), _pairs(runs), strict=True)]
    if as_json:
        show_json(tell(cells))
    else:
        show(cells)
        click.echo(f"{sum(map(len, runs)):,} releases in {duration(time.monotonic() - started)}")


def _scenario(rate: float, baseline: float, bursts: Bursts | None = None) -> Scenario:
    traffic = Traffic(rate=rate, baseline=baseline, bursts=bursts)
    return Scenario(traffic=traffic, seed=SEED, horizon=HORIZONS[0])


def _plan(scenario: Scenario, threshold: float) -> Iterator[Task]:
    """Ours and the peer, in turns."""
    for errors in (0.0, *ERRORS):
        fault = Fault(errors=errors)
        yield Task(scenario, OURS, fault, math.inf, RUNS[round(scenario.traffic.rate)])
        yield Task(scenario, PEER, fault, threshold, PEER_RUNS)


def _plan_bursts(scenario: Scenario) -> Iterator[Task]:
    yield Task(scenario, OURS, Fault(), math.inf, RUNS[round(scenario.traffic.rate)])
    yield Task(scenario, FIXED, Fault(), 0.05, PEER_RUNS)


def _play(pool: ProcessPoolExecutor, tasks: Sequence[Task]) -> list[list[Run]]:
    """The runs of each task, made in parts."""
    parts = [
        (
            number,
            task.scenario,
            Replay(task.choice, task.fault, task.threshold, first, min(first + PART, task.runs)),
        )
        for number, task in enumerate(tasks)
        for first in range(0, task.runs, PART)
    ]
    runs: list[list[Run]] = [[] for _ in tasks]
    played = pool.map(replay, [part[1] for part in parts], [part[2] for part in parts])
    with click.progressbar(played, length=len(parts), label="replaying", file=sys.stderr) as done:
        for (number, *_), found in zip(parts, done, strict=True):
            runs[number] += found
    return runs


def _pairs(items: Sequence[Item]) -> list[tuple[Item, Item]]:
    return list(zip(items[::2], items[1::2], strict=True))


def _compare(tasks: tuple[Task, Task], runs: tuple[list[Run], list[Run]]) -> Cell:
    fault, traffic = tasks[0].fault, tasks[0].scenario.traffic
    ours, peer = (
        summarize(fault.name, 0, task.choice.name, found, healthy=fault.harmless)
        for task, found in zip(tasks, runs, strict=True)
    )
    ratios = (
        tuple(_count(runs[1], horizon) / _count(runs[0], horizon) for horizon in HORIZONS)
        if not fault.harmless
        else ()
    )
    return Cell(traffic, ours, peer, ratios, find_bound(traffic.baseline, fault.errors))


def _count(runs: Iterable[Run], horizon: float) -> float:
    return fmean(count_failed(run, horizon) for run in runs)


def find_bound(baseline: float, errors: float) -> float:
    """The least mean number of failed requests of any test that is as rarely wrong, and at least one.

    Wald (1947): ln(1/a) / KL(bad | good) canary requests, where the good rate is known exactly.
    """
    if not errors:
        return 0.0
    bad = min(1.0, baseline + errors)
    distance = bad * math.log(bad / baseline)
    if bad < 1:
        distance += (1 - bad) * math.log((1 - bad) / (1 - baseline))
    return max(1.0, errors * math.log(1 / SURE) / distance)
