"""Requests and failures by version, as the metrics and the logs of functions that ran have them."""

from __future__ import annotations

import json
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.scene import eventually
from tidegate.adapters.counts import read_counts
from tidegate.adapters.marks import find_marks
from tidegate.domain.blame import Tally
from tidegate.domain.rollouts import RollingFunction

if TYPE_CHECKING:
    from tests.scene import Scene

MARK = '{ $.level = "ERROR" }'
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


def around_now() -> tuple[datetime, datetime]:
    """Ten minutes around now: read in each test, since a module may be imported long before its tests run."""
    now = datetime.now(UTC)
    return now - timedelta(minutes=5), now + timedelta(minutes=5)


def rolling(name: str = "F", group: str = "/aws/lambda/f") -> RollingFunction:
    return RollingFunction(
        logical_id=name, name=name.lower(), alias="live", stable="7", canary="8", log_group=group
    )


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

    span = around_now()

    def read() -> Any:
        found = read_counts(scene.tools.stage(scene.staging), [function], span, 60, MARK)["Place"]
        return found if found.canary.failed == 2 else None

    found = eventually(read)
    assert found.stable == Tally(requests=3, failed=1)
    assert found.canary == Tally(requests=3, failed=2)


def test_marks_are_counted_once_by_request_and_version(scene: Scene) -> None:
    logs, group = scene.cloud.client("logs"), f"/aws/lambda/{scene.unique}"
    function, span = rolling(group=group), around_now()
    assert not find_marks(logs, function, *span, MARK)
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
    assert Counter(v for v, _ in find_marks(logs, function, *span, MARK)) == {"7": 2, "8": 2, "$LATEST": 1}
    later = datetime.now(UTC) + timedelta(minutes=1)
    assert not find_marks(logs, function, later, later + timedelta(minutes=1), MARK)
