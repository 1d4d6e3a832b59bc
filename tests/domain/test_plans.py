"""The plan as people read it."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate.domain.config import StageConfig
from tidegate.domain.identity import Commit
from tidegate.domain.plans import SHOWN, FunctionPlan, Plan, StagePlan, render
from tidegate.domain.preflight import Finding, Severity
from tidegate.domain.templates.changes import ChangedResource

RAMP = "adaptive, as fast as evidence comes in that the new version fails at most 0.5 % more requests"
MONITORS = "Monitors: the judge; alarms on an error rate from 5 % on, 10 throttles."
COMMIT = Commit(service="orders", id="0123456789abcdef0123456789abcdef01234567", branch="main")


def function(name: str = "Place", **changes: Any) -> FunctionPlan:
    values = {
        "logical_id": name,
        "alias_logical_id": f"{name}TidegateAlias",
        "artifact": "b" * 64,
        "previous_artifact": "a" * 64,
        "canaried": True,
        "function_name": f"orders-{name}",
        "alias": "live",
        "rollback_target": "7",
    }
    return FunctionPlan.model_validate(values | changes)


def stage(**changes: Any) -> StagePlan:
    values: dict[str, Any] = {
        "stage": "production",
        "account": "123456789012",
        "region": "us-east-1",
        "production": True,
        "stack_name": "orders-production",
        "creates_stack": False,
        "change_set": "tidegate-0123456789ab-1",
        "changes": (),
        "functions": (function(),),
        "config": StageConfig().for_stage(production=True),
        "at_once": (),
    }
    return StagePlan.model_validate(values | changes)


def plan(*stages: StagePlan, notes: tuple[str, ...] = ()) -> Plan:
    return Plan(service="orders", release_id="0123456789ab-1", commit=COMMIT, stages=stages, notes=notes)


def test_a_plan_is_read_by_stage() -> None:
    fresh = function("New", canaried=False, previous_artifact=None, rollback_target="")
    found = plan(stage(stage="staging"), stage(functions=(function(), fresh)))
    assert found.stage("production").canaried == (function(),)
    assert Plan.model_validate_json(found.model_dump_json()) == found


def test_waves_are_said_where_there_are_several() -> None:
    functions = (function("Charge", wave=2), function("Notify"), function("Ship", wave=2))
    assert "Each shift goes in waves: Notify; then Charge, Ship." in render(plan(stage(functions=functions)))
    assert "waves" not in render(plan(stage(functions=functions[1:2])))


def test_everything_that_matters_is_said() -> None:
    changes = (
        ChangedResource(
            action="Modify", logical_id="Place", type="AWS::Lambda::Function", properties=("Code", "Timeout")
        ),
        ChangedResource(action="Add", logical_id="Queue", type="AWS::SQS::Queue"),
        ChangedResource(action="Modify", logical_id="Table", type="AWS::DynamoDB::Table", replacement=True),
    )
    text = render(
        plan(stage(changes=changes, at_once=("Queue: is created at once",)), notes=("built for python3.11",))
    )
    for line in (
        "# Release 0123456789ab-1 of orders",
        "Commit `0123456789abcdef0123456789abcdef01234567` on `main`.",
        "- built for python3.11",
        "## production (123456789012, us-east-1)",
        "Stack `orders-production` is updated: 1 add, 2 modify, 0 remove.",
        f"Strategy: {RAMP}, then 600 s of bake. {MONITORS}",
        "| Place | `aaaaaaaaaaaa` | `bbbbbbbbbbbb` | canary | 7 |",
        "| Modify | Place | AWS::Lambda::Function | Code, Timeout |",
        "| Modify (replaced) | Table | AWS::DynamoDB::Table |  |",
        "- Queue: is created at once",
    ):
        assert line in text.splitlines(), line


def test_a_new_stack_says_so() -> None:
    fresh = function(canaried=False, previous_artifact=None, rollback_target="")
    text = render(plan(stage(creates_stack=True, functions=(fresh,))))
    assert "Stack `orders-production` is created" in text
    assert "| Place | - | `bbbbbbbbbbbb` | at once | - |" in text


def test_nothing_to_do_says_so() -> None:
    config = {"approval": "required", "strategy": "AllAtOnce", "bake": 0, "alarms": {"p99": 3}}
    text = render(plan(stage(change_set=None, functions=(), config=config)))
    assert (
        "Stack `orders-production` does not change: 0 add, 0 modify, 0 remove. A person must approve" in text
    )
    assert "No function changes." in text
    assert "Strategy: 100 % at once. Monitors" in text
    assert "p99 from 3 s on" in text
    assert "Takes effect at once" not in text


def test_findings_are_listed_the_gravest_first() -> None:
    found = tuple(
        Finding(logical_id="Place", kind="k", severity=severity, what=f"it is {severity}", action="so be it")
        for severity in Severity
    )
    lines = render(plan(stage(findings=found))).splitlines()
    start = lines.index("Preflight: 1 refused, 1 to repair, 1 at once, 1 to know.")
    assert lines[start + 2 : start + 6] == [
        "- **refuse** Place: it is refuse: so be it",
        "- **repair** Place: it is repair: so be it",
        "- **at once** Place: it is at_once: so be it",
        "- **info** Place: it is info: so be it",
    ]
    assert "- … 30 more" in render(plan(stage(findings=found * 20))).splitlines()


@pytest.mark.parametrize("count", [SHOWN, SHOWN + 1, 400])
def test_long_tables_are_cut_in_the_text_only(count: int) -> None:
    functions = tuple(function(f"F{i}") for i in range(count))
    changes = tuple(
        ChangedResource(action="Modify", logical_id=f"F{i}", type="AWS::Lambda::Function")
        for i in range(count)
    )
    found = plan(stage(functions=functions, changes=changes))
    text = render(found)
    assert text.count("AWS::Lambda::Function") == SHOWN
    assert text.count("… ") == (2 if count > SHOWN else 0)
    assert count == SHOWN or f"… {count - SHOWN} more" in text
    assert len(found.stage("production").functions) == count


@pytest.mark.parametrize(
    ("strategy", "text"),
    [
        ("Canary10Percent5Minutes", "10 % → 100 %, every 300 s (Canary10Percent5Minutes)"),
        (
            "Linear10PercentEvery1Minute",
            "10 % → 20 % → … → 90 % → 100 %, every 60 s (Linear10PercentEvery1Minute)",
        ),
        ("AllAtOnce", "100 % at once"),
    ],
)
def test_a_schedule_says_its_weights(strategy: str, text: str) -> None:
    found = stage(
        config={"strategy": strategy, "bake": 0}, strategy_source=" (DeploymentPreference of Place)"
    )
    assert found.strategy == f"{text} (DeploymentPreference of Place)"
