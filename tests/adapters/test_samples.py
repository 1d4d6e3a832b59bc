"""Requests and failures by version, as the metrics and the logs of functions that ran have them."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.scene import eventually
from tidegate.adapters.samples import count_marks, read_metrics, read_samples
from tidegate.domain.judge import Counts
from tidegate.domain.rollouts import RollingFunction

if TYPE_CHECKING:
    from tests.scene import Scene

MARK = '{ $.level = "ERROR" }'
NOW = datetime.now(UTC)
SPAN = (NOW - timedelta(minutes=5), NOW + timedelta(minutes=5))
CODE = """
import json

def handler(event, context):
    if event.get("mark"):
        for _ in range(2):  # two lines of one request
            print(json.dumps({"level": "ERROR", "function_request_id": context.aws_request_id}))
    if event.get("raise"):
        raise ValueError("no luck")
    return {number}
"""


def rolling(name: str = "F", group: str = "/aws/lambda/f") -> RollingFunction:
    return RollingFunction(
        logical_id=name, name=name.lower(), alias="live", stable="7", canary="8", log_group=group
    )


def test_no_time_is_no_request() -> None:
    span = (NOW, NOW)
    (found,) = read_samples(None, None, [rolling()], span, 60, MARK)  # type: ignore[arg-type]
    nothing = Counts(requests=0, failed=0)
    assert (found.function, found.stable, found.canary, found.throttles) == ("F", nothing, nothing, 0)


class Metrics:
    """CloudWatch that gives, for each query, one sum in each of two pages."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def get_paginator(self, name: str) -> Metrics:
        assert name == "get_metric_data"
        return self

    def paginate(self, **arguments: Any) -> Any:
        self.calls.append(arguments)
        for _ in range(2):
            queries = arguments["MetricDataQueries"]
            yield {"MetricDataResults": [{"Id": query["Id"], "Values": [1.0, 2.0]} for query in queries]}


@pytest.mark.parametrize(("functions", "calls"), [(0, 0), (1, 1), (100, 1), (101, 2), (450, 5)])
def test_many_functions_take_few_calls(functions: int, calls: int) -> None:
    client = Metrics()
    found = read_metrics(client, [rolling(f"F{i}") for i in range(functions)], *SPAN, 60)  # type: ignore[arg-type]
    assert len(client.calls) == calls
    assert all(len(call["MetricDataQueries"]) <= 500 for call in client.calls)
    assert len(found) == 5 * functions
    assert set(found.values()) <= {6.0}


def test_requests_are_told_apart_by_version(scene: Scene) -> None:
    function = scene.function(code=CODE)
    client = scene.lambdas

    def invoke(qualifier: str, **event: bool) -> None:
        scene.move(function, qualifier)
        client.invoke(FunctionName=function.name, Qualifier="live", Payload=json.dumps(event))

    for qualifier, events in (
        ("1", [{}, {}, {"raise": True}]),
        ("2", [{}, {"mark": True}, {"mark": True, "raise": True}]),
    ):
        for event in events:
            invoke(qualifier, **event)

    def read() -> Any:
        clients = scene.cloud.client("cloudwatch"), scene.cloud.client("logs")
        (sample,) = read_samples(*clients, [function], SPAN, 60, MARK)
        return sample if sample.canary.failed == 2 else None

    sample = eventually(read)
    assert sample.stable == Counts(requests=3, failed=1)
    assert sample.canary == Counts(requests=3, failed=2)
    assert sample.throttles == 0


def test_throttles_are_of_both_versions(scene: Scene) -> None:
    function = scene.function()
    scene.lambdas.put_function_concurrency(FunctionName=function.name, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="TooManyRequests"):
        scene.lambdas.invoke(FunctionName=function.name, Qualifier="live")

    def read() -> Any:
        clients = scene.cloud.client("cloudwatch"), scene.cloud.client("logs")
        return read_samples(*clients, [function], SPAN, 60, MARK)[0].throttles

    assert eventually(read) == 1


def test_marks_are_counted_once_by_request_and_version(scene: Scene) -> None:
    logs, group = scene.cloud.client("logs"), f"/aws/lambda/{scene.unique}"
    function = rolling(group=group)
    assert not count_marks(logs, function, *SPAN, MARK)
    logs.create_log_group(logGroupName=group)
    lines = {
        "2026/03/04/[7]aa": ["r1", "r1", "r2"],
        "2026/03/04/[8]bb": ["r3", "r1"],
        "2026/03/04/[$LATEST]cc": ["r4"],
        "of-no-version": ["r5"],
    }
    at = int(time.time() * 1000)
    for stream, requests in lines.items():
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        events = [
            {"timestamp": at, "message": json.dumps({"level": "ERROR", "requestId": request})}
            for request in requests
        ]
        events.append({"timestamp": at, "message": json.dumps({"level": "INFO", "requestId": "r9"})})
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    assert count_marks(logs, function, *SPAN, MARK) == {"7": 2, "8": 2, "$LATEST": 1}
    later = datetime.now(UTC) + timedelta(minutes=1)
    assert not count_marks(logs, function, later, later + timedelta(minutes=1), MARK)
