"""Points to try, spread over processes: a recording of each scenario says how many calls it has.

Every call of every scenario is struck by every kind of fault, or a sample of both that covers every function.
"""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from dataclasses import asdict
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from tests.faults.plans import BRIEF, KINDS, LASTING, STATE_KINDS, Point

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ROOT = Path(__file__).parents[2]
# By scenario: the label and the address of each call, and of each entry into a state.
Labelled: TypeAlias = list[tuple[str, str]]
Recording: TypeAlias = dict[str, dict[str, Labelled]]
# Every call of these is struck, and of the others what none of these has.
WHOLE = ("good", "bad", "alarm", "operator")
RECORDED = (*WHOLE, "back", "first", "adoption", "probed", "provided", "provided-bad")
# Calls whose answer is read after botocore has given it: each of them is also cut short.
STREAMED = ("s3.GetObject", "lambda.Invoke")
ENTRIES = 2  # of each state, one for each stage
OTHERS = 2
WORN = 200
CROWDS = 60
EVENTS = 5


class Crew:
    """Worker processes; a context manager. Each is given the next point when it has answered for one.

    A worker that has been given `WORN` points is replaced: its cloud forgets nothing, and becomes slow.
    """

    def __init__(self, jobs: int, side_by_side: int) -> None:
        self._side_by_side = side_by_side
        self._results: Queue[tuple[int, dict[str, Any] | None]] = Queue()
        self._given = Counter[int]()
        self._workers = [self._start(number) for number in range(jobs)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.kill()
            worker.wait()

    def _start(self, number: int) -> subprocess.Popen[str]:
        worker = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.worker", str(self._side_by_side)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._listen, args=(number, worker), daemon=True).start()
        return worker

    def _listen(self, number: int, worker: subprocess.Popen[str]) -> None:
        assert worker.stdout is not None
        for line in worker.stdout:
            self._results.put((number, json.loads(line)))
        self._results.put((number, None))

    def _give(self, number: int, points: Iterator[Point]) -> int:
        """Give a worker the next point, if there is one, or let it end where it is worn; how many answers that brings."""
        worker = self._workers[number]
        assert worker.stdin is not None
        if self._given[number] >= WORN:
            ends = not worker.stdin.closed
            worker.stdin.close()
            return int(ends)
        point = next(points, None)
        if point is None:
            return 0
        self._given[number] += 1
        print(json.dumps(asdict(point)), file=worker.stdin, flush=True)
        return 1

    def _replace(self, number: int) -> None:
        """Start another worker for one that has ended, worn."""
        if self._given.pop(number, 0) < WORN or self._workers[number].wait():
            raise RuntimeError("a worker process has died")
        self._workers[number] = self._start(number)

    def try_points(self, points: Iterable[Point]) -> Iterator[dict[str, Any]]:
        """The result of each point, in the order in which they end."""
        left = iter(points)
        turns = [number for _ in range(self._side_by_side) for number in range(len(self._workers))]
        waiting = sum(self._give(number, left) for number in turns)
        while waiting:
            number, result = self._results.get()
            if result is None:
                self._replace(number)
                waiting += sum(self._give(number, left) for _ in range(self._side_by_side)) - 1
                continue
            waiting += self._give(number, left) - 1
            yield result

    def record(self, scenarios: Iterable[str]) -> Recording:
        """The calls of a run of each scenario that nothing befalls, in the order given."""
        names = list(scenarios)
        found: Recording = {}
        for result in self.try_points(Point(name) for name in names):
            name = result["point"]["scenario"]
            if result["violation"]:
                raise RuntimeError(f"{name} fails with no fault: {result['violation']}\n{result['told']}")
            found[name] = result["recorded"]
        return {name: found[name] for name in names}


def list_points(recorded: Recording, kinds: Sequence[str], seed: int) -> list[Point]:
    """Every kind at every call, every state, and the runs that no call stands for."""
    every = itertools.product(recorded, kinds)
    points = [
        Point(scenario, kind, k, seed, at)
        for scenario, kind in every
        for k, (_, at) in enumerate(recorded[scenario]["calls"], 1)
    ]
    return _shuffle([*points, *_list_states(recorded, seed), *_list_others(recorded, seed)], seed)


def spread_points(recorded: Recording, seed: int) -> list[Point]:
    """Every call once, by kinds in turn; each streamed one cut short too; every function by what lasts."""
    chance = random.Random(seed)  # noqa: S311
    points = []
    for scenario, names in _list_own(recorded, "calls"):
        turns: dict[str, Iterator[str]] = {}
        seen: set[str] = set()
        for k, name, at in names:
            kinds = turns.setdefault(name, itertools.cycle(chance.sample(BRIEF, len(BRIEF))))
            chosen = {next(kinds): None} | dict.fromkeys(["cut"] if name.endswith(STREAMED) else [])
            function = name.split(" ", 1)[0]
            if function not in seen:
                chosen |= dict.fromkeys(LASTING)
            seen.add(function)
            points += [Point(scenario, kind, k, seed, at) for kind in chosen]
    return _shuffle([*points, *_list_states(recorded, seed), *_list_others(recorded, seed)], seed)


def _list_own(recorded: Recording, what: str) -> Iterator[tuple[str, list[tuple[int, str, str]]]]:
    """By scenario: the numbers, labels and addresses that it has for itself, or all of them."""
    common = {tuple(one) for name in WHOLE if name in recorded for one in recorded[name][what]}
    for scenario, found in recorded.items():
        numbered = [(k, name, at) for k, (name, at) in enumerate(found[what], 1)]
        yield scenario, [one for one in numbered if scenario in WHOLE or one[1:] not in common]


def _list_states(recorded: Recording, seed: int) -> list[Point]:
    """The first entries into each state."""
    return [
        Point(scenario, kind, k, seed, at)
        for scenario, states in _list_own(recorded, "states")
        for k, _, at in states
        for kind in STATE_KINDS
        if int(at.rpartition("/")[2]) <= ENTRIES
    ]


def _list_others(recorded: Iterable[str], seed: int) -> list[Point]:
    crowds = [Point("crowd", "crowd", k, seed) for k in range(CROWDS)]
    return [*crowds, *(Point(scenario, "events", k, seed) for scenario in recorded for k in range(EVENTS))]


def _shuffle(points: list[Point], seed: int) -> list[Point]:
    """By chance, every kind of each scenario in turn: whoever stops early has tried something of all."""
    chance = random.Random(seed)  # noqa: S311
    groups: dict[tuple[str, str], list[Point]] = defaultdict(list)
    for point in chance.sample(points, len(points)):
        groups[point.scenario, point.kind].append(point)
    rounds = itertools.zip_longest(*chance.sample(list(groups.values()), len(groups)))
    return [point for turn in rounds for point in turn if point is not None]


def sample_scenarios(seed: int) -> list[str]:
    """The scenarios that a sample is of: the whole ones, and some of the others."""
    others = [name for name in RECORDED if name not in WHOLE]
    return [*WHOLE, *random.Random(seed).sample(others, OTHERS)]  # noqa: S311


def sample_points(recorded: Recording, seed: int, size: int) -> list[Point]:
    """So many points that every function of every scenario is struck, and every kind at least once."""
    chance = random.Random(seed)  # noqa: S311
    strata: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for scenario, names in _list_own(recorded, "calls"):
        for k, name, at in names:
            strata[scenario, name.split(" ", 1)[0]].append((k, at))
    groups = sorted(strata.items())
    chance.shuffle(groups)
    kinds = chance.sample(KINDS, len(KINDS))
    pairs = zip(itertools.cycle(groups), itertools.cycle(kinds), strict=False)
    others = [
        *(Point("crowd", "crowd", k, seed) for k in chance.sample(range(CROWDS), 3)),
        *chance.sample(_list_states(recorded, seed), 2),
        Point("good", "events", 0, seed),
    ]
    chosen = [
        Point(scenario, kind, k, seed, at)
        for ((scenario, _), calls), kind in itertools.islice(pairs, max(0, size - len(others)))
        for k, at in (chance.choice(calls),)
    ]
    return [*chosen, *others]
