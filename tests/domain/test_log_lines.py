"""What lines say of requests, as Lambda words them in text and in JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tidegate.domain import log_patterns
from tidegate.domain.log_lines import Mark, Report, Start, find_version, identify_request, read_lines

R1, R2 = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
MARK = log_patterns.read('{ $.level = "ERROR" }')
TEXT = f"REPORT RequestId: {R1}\tDuration: 12.50 ms\tBilled Duration: 113 ms\tMemory Size: 512 MB\tMax Memory Used: 40 MB\t"
RAISED = "[ERROR] ValueError: no luck\rTraceback (most recent call last):\r  File ..."


def report(request: str = R1, **changes: Any) -> str:
    metrics = {"durationMs": 12.5, "billedDurationMs": 113, "memorySizeMB": 512, "maxMemoryUsedMB": 40}
    record = {
        "requestId": request,
        "metrics": metrics | changes.pop("metrics", {}),
        "status": "success",
        **changes,
    }
    return json.dumps({"time": "2026-11-21T10:00:00.000Z", "type": "platform.report", "record": record})


def read(*messages: str) -> list[Start | Report | Mark]:
    events = [{"id": f"e{i}", "timestamp": 1000 + i, "message": text} for i, text in enumerate(messages)]
    return list(read_lines(events, MARK))


@pytest.mark.parametrize(
    ("stream", "version"),
    [
        ("2026/11/21/[7]0123456789abcdef", "7"),
        ("2026/11/21/[$LATEST]0123456789abcdef", "$LATEST"),
        ("2026/11/21/f[8]0123456789abcdef", "8"),
        ("2026/11/21/other[8]0123456789abcdef", None),
        ("something else", None),
    ],
)
def test_a_line_is_of_the_version_that_its_stream_names(stream: str, version: str | None) -> None:
    assert find_version(stream, "f") == version


@pytest.mark.parametrize(
    ("message", "request_id"),
    [
        ("[ERROR] plain text", ""),
        (f"[ERROR]\t2026-11-21T10:00:00.000Z\t{R1}\tno luck", R1),
        ('{"level": "ERROR", "function_request_id": "r1"}', "r1"),
        ('{"level": "ERROR", "requestId": "r2"}', "r2"),
        ('{"level": "ERROR", "request_id": "", "awsRequestId": "r3"}', "r3"),
        ('{"level": "ERROR"}', ""),
        ('["ERROR"]', ""),
        ('{"level": "ERROR", "errorType": "E", "stackTrace": [], "requestId": "r4"}', "r4"),
        ('{"level": "ERROR"', ""),
    ],
)
def test_a_line_is_of_the_request_that_it_names(message: str, request_id: str) -> None:
    assert identify_request(message) == request_id


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (TEXT, (None, False, False)),
        (TEXT + "Init Duration: 100.25 ms\t\n", (100.25, False, False)),
        (TEXT + "Restore Duration: 80.00 ms\tBilled Restore Duration: 1 ms\t\n", (80.0, False, False)),
        (TEXT + "Status: timeout\n", (None, True, True)),
        (TEXT + "Status: error\tError Type: Runtime.ExitError\n", (None, True, False)),
        (report(), (None, False, False)),
        (report(metrics={"initDurationMs": 100.25}), (100.25, False, False)),
        (report(status="failure"), (None, True, False)),
        (report(status="error"), (None, True, False)),
        (report(status="timeout"), (None, True, True)),
    ],
)
def test_a_report_is_read(line: str, expected: tuple[float | None, bool, bool]) -> None:
    assert read(line) == [Report("e0", 1000, R1, 12.5, expected[0], 113 * 0.5, *expected[1:])]


@pytest.mark.parametrize(
    "line",
    [
        "REPORT RequestId: cut",
        '{"type": "platform.report"}',
        '{"type": "platform.report", "record": {"requestId": "r"}}',
        '{"type": "platform.runtimeDone", "record": {"requestId": "r", "status": "failure"}}',
        '{"message": "I like \\"platform.report\\""}',
        f"END RequestId: {R1}",
        "INIT_START Runtime Version: python:3.13",
        "[ERROR] of my own making",
        '{"level": "INFO"}',
    ],
)
def test_what_says_nothing_of_a_request_is_passed_over(line: str) -> None:
    assert read(line) == []


def test_a_text_log_tells_of_exceptions_by_the_runtimes_own_line() -> None:
    start = f"START RequestId: {R1} Version: 7\n"
    node = f"2026-11-21T10:00:00.000Z\t{R1}\tERROR\tInvoke Error \t{{}}"
    for line in (
        RAISED,
        node,
        "Error raised from handler method\n{",
        "LAMBDA_WARNING: Unhandled exception. x",
    ):
        assert read(start, line)[1] == Mark("e1", 1001, R1)
    out = f"2026-11-21T10:00:00.000Z {R1} Task timed out after 3.00 seconds\n\n"
    assert read(out) == [Mark("e0", 1000, R1, timed_out=True)]


MARKED = '{"level": "ERROR"}'
NAMED = json.dumps({"level": "ERROR", "requestId": R2})


@pytest.mark.parametrize(
    ("lines", "requests"),
    [
        ((MARKED,), [""]),
        ((f"START RequestId: {R1} Version: 7", MARKED), [R1]),
        ((MARKED, TEXT), [R1]),
        ((MARKED, f"START RequestId: {R1} Version: 7"), [""]),
        ((TEXT, MARKED), [""]),
        ((TEXT, NAMED), [R2]),
        # An id that is none of ours, such as a gateway's, gives way to the request that is running.
        ((f"START RequestId: {R1} Version: 7", NAMED, TEXT), [R1]),
        ((f"START RequestId: {R1} Version: 7", NAMED, report(R2)), [R2]),
    ],
)
def test_a_mark_is_of_the_request_that_runs(lines: tuple[str, ...], requests: list[str]) -> None:
    assert [item.request for item in read(*lines) if isinstance(item, Mark)] == requests
