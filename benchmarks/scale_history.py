"""What an execution's history and the notes of AWS calls say of a release: counts, sizes, times, cost.

Prices: us-east-1, on demand, AWS Step Functions and AWS Lambda pricing pages. Invocations are billed here
from scheduled to ended, which is more than AWS would.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tidegate.local.paths import events, transitions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tidegate.cli.pipeline import Pipeline
    from tidegate.local.quotas import Noted

PER_TRANSITION: Final = 0.025 / 1000
PER_INVOCATION: Final = 0.20 / 1_000_000
PER_GB_SECOND: Final = 0.0000166667
PREFIX: Final = "tidegate-"


class Attempt(NamedTuple):
    """One invocation of a task: its function's name without our prefix, from when to when (since 1970)."""

    task: str
    begun: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.ended - self.begun


class Measured(NamedTuple):
    """An execution; sizes in bytes, and what its tasks called."""

    transitions: int
    events: int
    largest: tuple[int, str]
    attempts: tuple[Attempt, ...]
    calls: tuple[Noted, ...]
    usd: float

    @property
    def throttled(self) -> int:
        """Calls of Lambda that were throttled."""
        return sum(call.throttled for call in self.calls)

    @property
    def busiest(self) -> int:
        """The most calls against Lambda's control-plane quota within any second."""
        return find_busiest([call.at for call in self.calls if call.quota == "calls"])


class Sizes(NamedTuple):
    """What the functions are given, by name without our prefix: seconds, and megabytes."""

    timeout: dict[str, int]
    memory: dict[str, int]


def read_sizes(pipeline: Pipeline) -> Sizes:
    """As Lambda has them."""
    pages = pipeline.client("lambda").get_paginator("list_functions").paginate()
    found = {item["FunctionName"].removeprefix(PREFIX): item for page in pages for item in page["Functions"]}
    return Sizes(
        {name: item["Timeout"] for name, item in found.items()},
        {name: item["MemorySize"] for name, item in found.items()},
    )


def measure_execution(pipeline: Pipeline, execution: str, noted: Sequence[Noted], sizes: Sizes) -> Measured:
    """Everything about one execution; the calls are those that were made while one of its tasks ran."""
    history = list(events(pipeline.machines, execution))
    attempts = tuple(list_attempts(history))
    steps = transitions(pipeline.machines, execution)
    gb_seconds = sum(one.seconds * sizes.memory.get(one.task, 1024) / 1024 for one in attempts)
    usd = steps * PER_TRANSITION + len(attempts) * PER_INVOCATION + gb_seconds * PER_GB_SECOND
    calls = tuple(call for call in noted if any(one.begun <= call.at <= one.ended for one in attempts))
    return Measured(steps, len(history), max(list_sizes(history)), attempts, calls, usd)


def count_calls(measured: Measured) -> dict[str, Counter[str]]:
    """By task: its calls by service, and those against Lambda's control-plane quota as `lambda quota`."""
    found: dict[str, Counter[str]] = {one.task: Counter() for one in measured.attempts}
    for call in measured.calls:
        for task in {one.task for one in measured.attempts if one.begun <= call.at <= one.ended}:
            found[task]["lambda quota" if call.quota == "calls" else call.service] += 1
    return found


def find_busiest(times: Iterable[float]) -> int:
    """The most of these times that lie within a second of each other."""
    ordered = sorted(times)
    return max((bisect_left(ordered, at + 1) - number for number, at in enumerate(ordered)), default=0)


def list_attempts(history: Sequence[dict[str, Any]]) -> Iterator[Attempt]:
    """Of several at once (a Map) an end belongs to the attempt that its own events lead back to."""
    parents = {event["id"]: event["previousEventId"] for event in history}
    begun = {event["id"]: event for event in history if event["type"] == "TaskScheduled"}
    for event in history:
        if event["type"] in {"TaskSucceeded", "TaskFailed", "TaskTimedOut"}:
            number = event["previousEventId"]
            while number not in begun:
                number = parents[number]
            start = begun.pop(number)
            parameters = json.loads(start["taskScheduledEventDetails"]["parameters"])
            name = parameters["FunctionName"].split(":")[6].removeprefix(PREFIX)
            yield Attempt(name, start["timestamp"].timestamp(), event["timestamp"].timestamp())


def list_sizes(history: Iterable[dict[str, Any]]) -> Iterator[tuple[int, str]]:
    """Of everything that a state, a task or the execution is given or gives."""
    name = ""
    for event in history:
        for details in (value for value in event.values() if isinstance(value, dict)):
            name = details.get("name", name)
            for key in ("input", "output", "parameters"):
                if isinstance(details.get(key), str):
                    yield len(details[key].encode()), f"{key} of {name}"
