"""The benchmark of many functions: what it measures, and that its service fits into a stack."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.scale import SIZES
from benchmarks.scale_history import Attempt, find_busiest, list_attempts, list_sizes
from benchmarks.scale_service import ManyFunctions
from tidegate.adapters.templates import parse

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 1, 1, tzinfo=UTC)


def event(number: int, kind: str, previous: int, seconds: float, **details: Any) -> dict[str, Any]:
    at = START + timedelta(seconds=seconds)
    return {"id": number, "previousEventId": previous, "type": kind, "timestamp": at, **details}


def scheduled(number: int, previous: int, seconds: float, name: str) -> dict[str, Any]:
    parameters = json.dumps({"FunctionName": f"arn:aws:lambda:us-east-1:1:function:tidegate-{name}:1"})
    details = {"parameters": parameters}
    return event(number, "TaskScheduled", previous, seconds, taskScheduledEventDetails=details)


def test_of_several_at_once_each_end_belongs_to_its_own_start() -> None:
    history = [
        scheduled(1, 0, 0, "build-function"),
        scheduled(2, 0, 1, "build-function"),
        event(3, "TaskStarted", 1, 2),
        event(4, "TaskStarted", 2, 2),
        event(5, "TaskSucceeded", 4, 3),
        event(6, "TaskFailed", 3, 7),
        scheduled(7, 6, 8, "build-function"),
        event(8, "TaskSucceeded", 7, 9),
    ]
    begun = START.timestamp()
    assert list(list_attempts(history)) == [
        Attempt("build-function", begun + 1, begun + 3),
        Attempt("build-function", begun, begun + 7),
        Attempt("build-function", begun + 8, begun + 9),
    ]


def test_the_largest_of_what_states_are_given_and_give_is_found() -> None:
    history = [
        event(1, "TaskStateEntered", 0, 0, stateEnteredEventDetails={"name": "Shift", "input": "{}"}),
        scheduled(2, 1, 0, "shift-traffic"),
        event(3, "TaskStateExited", 2, 0, stateExitedEventDetails={"name": "Shift", "output": "é" * 200}),
    ]
    assert max(list_sizes(history)) == (400, "output of Shift")


@given(st.lists(st.floats(0, 5), max_size=60))
def test_the_busiest_second_is_that_of_all_windows(times: list[float]) -> None:
    windows = [sum(start <= at < start + 1 for at in times) for start in times]
    assert find_busiest(times) == max(windows, default=0)


@pytest.mark.parametrize(("count", "children"), SIZES)
def test_the_service_fits_into_its_stacks(tmp_path: Path, count: int, children: int) -> None:
    service = ManyFunctions(tmp_path / "many", count, children)
    first, second = service.change(1), service.change(2)
    assert first != second
    templates = [parse((service.folder / file).read_text(), file) for file in service.templates()]
    functions = [len(list(one.of_type("AWS::Serverless::Function"))) for one in templates]
    assert (len(templates), sum(functions)) == (1 + children, count)
    assert 3 * max(functions) + 1 <= 500
