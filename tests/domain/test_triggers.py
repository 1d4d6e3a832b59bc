from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.triggers import AlarmFired, ExecutionEnded, OperatorAsked, Unrelated, read_trigger

SAMPLES = Path(
    os.environ.get("TIDEGATE_SAMPLES", Path(__file__).parents[3] / "shared" / "events" / "eventbridge")
)
ARN = "arn:aws:states:us-east-1:123456789012:execution:tidegate-release:orders-1"
INPUT = json.dumps({"commit": {"service": "orders"}, "attempt": 1})


def alarm(name: str = "tidegate/orders/production/F/errors", value: str = "ALARM") -> dict[str, Any]:
    state = {"value": value, "reason": "Threshold Crossed"}
    return {"detail-type": "CloudWatch Alarm State Change", "detail": {"alarmName": name, "state": state}}


def execution(status: str = "ABORTED", text: str | None = INPUT) -> dict[str, Any]:
    detail = {"executionArn": ARN, "status": status} | ({} if text is None else {"input": text})
    return {"detail-type": "Step Functions Execution Status Change", "detail": detail}


def test_an_alarm_names_what_it_guards() -> None:
    assert read_trigger(alarm()) == AlarmFired(
        service="orders", stage="production", function="F", signal="errors", reason="Threshold Crossed"
    )


@pytest.mark.parametrize("status", ["ABORTED", "FAILED", "TIMED_OUT"])
def test_an_execution_that_ended_badly_names_its_service(status: str) -> None:
    assert read_trigger(execution(status)) == ExecutionEnded(service="orders", execution=ARN, status=status)


def test_an_operator_asks_with_a_reason_or_without() -> None:
    event: dict[str, Any] = {"detail-type": "Rollback Requested", "detail": {"service": "orders"}}
    assert read_trigger(event) == OperatorAsked(service="orders", reason="no reason given")
    event["detail"]["reason"] = "it smells"
    assert read_trigger(event) == OperatorAsked(service="orders", reason="it smells")


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({}, "an event of type '' starts no rollback"),
        ({"detail-type": "Object Created", "detail": {}}, "an event of type 'Object Created'"),
        ({"detail-type": "Rollback Requested", "detail": {"service": 7}}, "starts no rollback"),
        ({"detail-type": "Rollback Requested", "detail": "orders"}, "starts no rollback"),
        (alarm("cpu-high"), "'cpu-high' is not one of Tidegate's alarms"),
        (alarm(value="OK"), "went to OK"),
        (alarm(value="INSUFFICIENT_DATA"), "went to INSUFFICIENT_DATA"),
        (execution("SUCCEEDED"), "an execution went to SUCCEEDED"),
        (execution("RUNNING"), "an execution went to RUNNING"),
        (execution(text=None), "its input names no service"),
        (execution(text="no json"), "its input names no service"),
        (execution(text="[1]"), "its input names no service"),
        (execution(text='{"commit": "x"}'), "its input names no service"),
    ],
)
def test_what_asks_for_nothing_is_told(event: dict[str, Any], said: str) -> None:
    found = read_trigger(event)
    assert isinstance(found, Unrelated)
    assert said in found.reason


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
kinds = st.sampled_from(
    ["CloudWatch Alarm State Change", "Step Functions Execution Status Change", "Rollback Requested"]
)
fields = ("alarmName", "state", "status", "input", "executionArn", "service", "reason")
details = st.fixed_dictionaries({}, optional=dict.fromkeys(fields, json_values))


@given(kinds, st.one_of(details, json_values))
def test_whatever_comes_is_read(kind: str, detail: object) -> None:
    read_trigger({"detail-type": kind, "detail": detail})


@pytest.mark.conformance
@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the public samples are not beside the checkout")
def test_documented_alarms_and_executions_are_understood() -> None:
    """Alarms of one metric, of metric math, of anomaly detection and composite ones differ in their shapes."""
    events = [json.loads(path.read_text()) for path in sorted(SAMPLES.glob("[a-z]*.json"))]
    alarms = [one for one in events if one["detail-type"] == "CloudWatch Alarm State Change"]
    assert len(alarms) >= 4
    for event in events:
        found = read_trigger(event)
        assert isinstance(found, Unrelated)
        assert found.reason
    raised = 0
    for event in alarms:
        name = {"alarmName": "tidegate/orders/production/F/errors"}
        found = read_trigger({**event, "detail": {**event["detail"], **name}})
        value = event["detail"].get("state", {}).get("value")
        assert isinstance(found, AlarmFired if value == "ALARM" else Unrelated)
        raised += isinstance(found, AlarmFired)
    assert raised
