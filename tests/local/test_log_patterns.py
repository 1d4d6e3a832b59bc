from __future__ import annotations

import json
import time

import pytest

from tidegate.local.log_patterns import InvalidPattern, read

ERROR = json.dumps({"level": "ERROR", "ms": 700, "user": {"name": "Ann"}, "tags": ["a", "b"], "ok": False})
INFO = json.dumps({"level": "INFO", "ms": 3, "none": None})


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ("", "anything", True),
        ('{ $.level = "ERROR" }', ERROR, True),
        ('{ $.level = "ERROR" }', INFO, False),
        ('{ $.level = "ERROR" }', "no JSON: ERROR", False),
        ('{ $.level = "ERROR" }', '"ERROR"', False),
        ("{ $.level = ERR* }", ERROR, True),
        ('{ $.level != "ERROR" }', INFO, True),
        ("{ $.ms > 500 }", ERROR, True),
        ("{ $.ms <= 3 }", INFO, True),
        ("{ $.ms = 700 }", ERROR, True),
        ('{ $.user.name = "Ann" && ($.ms < 5 || $.tags[1] = "b") }', ERROR, True),
        ('{ $.level = "INFO" || $.ms > 500 }', ERROR, True),
        ("{ $.none IS NULL }", INFO, True),
        ("{ $.ok IS FALSE }", ERROR, True),
        ("{ $.absent NOT EXISTS }", ERROR, True),
        ("{ $.absent = 1 }", ERROR, False),
        ("ERROR timeout", "ERROR: a timeout", True),
        ("ERROR timeout", "ERROR: else", False),
        ("?ERROR ?WARN", "WARN: x", True),
        ('"out of memory"', "went out of memory", True),
        ("ERROR -expected", "ERROR expected", False),
    ],
)
def test_a_pattern_means_its_messages(pattern, message, expected):
    assert read(pattern)(message) is expected


@pytest.mark.parametrize(
    "pattern", ["{ $.a = ", "{ $.a ~ 1 }", "[ip, user]", "%ERR.*%", "{ $.a > x }", "{ ($.a = 1 }"]
)
def test_what_cannot_be_read_is_refused(pattern):
    with pytest.raises(InvalidPattern):
        read(pattern)


def test_logs_are_filtered_by_it(cloud, unique):
    client, group = cloud.client("logs"), f"/patterns/{unique}"
    client.create_log_group(logGroupName=group)
    client.create_log_stream(logGroupName=group, logStreamName="s")
    events = [
        {"timestamp": int(time.time() * 1000) + i, "message": text} for i, text in enumerate([INFO, ERROR])
    ]
    client.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)
    found = client.filter_log_events(logGroupName=group, filterPattern='{ $.level = "ERROR" }', startTime=0)
    assert [event["message"] for event in found["events"]] == [ERROR]
