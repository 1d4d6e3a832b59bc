from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.config import AlarmConfig
from tidegate.domain.guards import (
    FUNCTIONS_PER_STACK,
    GuardedAlias,
    alarm_name,
    build_guards,
    guard_name,
    parse_alarm_name,
)

names = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,20}", fullmatch=True)


def aliases(count: int) -> list[GuardedAlias]:
    return [
        GuardedAlias(logical_id=f"F{i}", function_name=f"orders-f{i}", alias="live") for i in range(count)
    ]


@given(names, names, names, st.sampled_from(["errors", "duration", "throttles"]))
def test_an_alarm_is_understood_by_its_name(service: str, stage: str, function: str, signal: str) -> None:
    assert parse_alarm_name(alarm_name(service, stage, function, signal)) == (
        service,
        stage,
        function,
        signal,
    )


@pytest.mark.parametrize("name", ["", "cpu", "tidegate/orders/staging/F", "other/a/b/c/d"])
def test_other_alarms_are_not_ours(name: str) -> None:
    assert parse_alarm_name(name) is None


def test_alarms_watch_the_alias_and_take_silence_for_health() -> None:
    (stack,) = build_guards("orders", "production", aliases(1), AlarmConfig(p99="2s"), 60)
    assert stack.name == "tidegate-guard-orders-production"
    found = {key: item["Properties"] for key, item in stack.template["Resources"].items()}
    assert set(found) == {"F0Errors", "F0Throttles", "F0Duration"}
    dimensions = [
        {"Name": "FunctionName", "Value": "orders-f0"},
        {"Name": "Resource", "Value": "orders-f0:live"},
    ]
    assert found["F0Throttles"]["Dimensions"] == found["F0Duration"]["Dimensions"] == dimensions
    assert (found["F0Throttles"]["Statistic"], found["F0Throttles"]["Threshold"]) == ("Sum", 10)
    assert (found["F0Duration"]["ExtendedStatistic"], found["F0Duration"]["Threshold"]) == ("p99", 2000)
    assert found["F0Errors"]["Threshold"] == 5
    for properties in found.values():
        assert properties["TreatMissingData"] == "notBreaching"
        assert properties["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
        assert parse_alarm_name(properties["AlarmName"]) is not None
        assert "AlarmActions" not in properties


def test_the_error_rate_is_of_the_alias_in_each_period() -> None:
    (stack,) = build_guards("orders", "production", aliases(1), AlarmConfig(error_rate=1.5), 30)
    errors = stack.template["Resources"]["F0Errors"]["Properties"]
    rate, *metrics = errors["Metrics"]
    assert [metric["ReturnData"] for metric in errors["Metrics"]] == [True, False, False]
    assert rate["Expression"] == "100 * errors / MAX([errors, invocations])"
    assert [m["MetricStat"]["Metric"]["MetricName"] for m in metrics] == ["Errors", "Invocations"]
    assert {m["MetricStat"]["Period"] for m in metrics} == {30}
    assert errors["Threshold"] == 1.5


def test_without_a_duration_there_is_no_alarm_on_it() -> None:
    (stack,) = build_guards("orders", "staging", aliases(1), AlarmConfig(), 60)
    assert set(stack.template["Resources"]) == {"F0Errors", "F0Throttles"}


@given(st.integers(0, 400))
def test_stacks_stay_below_the_limit_of_resources_and_guard_every_function_once(count: int) -> None:
    stacks = build_guards("orders", "staging", aliases(count), AlarmConfig(p99=1), 60)
    assert [stack.name for stack in stacks] == [
        guard_name("orders", "staging", i) for i in range(len(stacks))
    ]
    assert len(stacks) == -(-count // FUNCTIONS_PER_STACK)
    resources = [key for stack in stacks for key in stack.template["Resources"]]
    assert len(resources) == len(set(resources)) == 3 * count
    assert all(len(stack.template["Resources"]) <= 500 for stack in stacks)
