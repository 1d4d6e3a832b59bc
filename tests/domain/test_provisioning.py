"""Steps of provisioned concurrency by value: what each moment of a rollout asks for, and no more."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.concurrency import Scaling
from tidegate.domain.preflight import Severity
from tidegate.domain.provisioning import (
    Act,
    Provisioning,
    Standing,
    Step,
    Versions,
    await_ready,
    cost,
    describe,
    give,
    retire,
    total_cost,
    undo,
)
from tidegate.domain.templates import normalize, prepare
from tidegate.domain.templates.features import read_features
from tidegate.domain.templates.template import Template

MOVES, STAYS = Versions(stable="1", canary="2"), Versions(stable="1")
SCALED = Scaling(minimum=2, maximum=9)


def item(**changes: Any) -> Provisioning:
    values: dict[str, Any] = {
        "logical_id": "Place",
        "alias_logical_id": "PlaceAlias",
        "function_name": "place",
        "alias": "live",
    }
    return Provisioning.model_validate(values | changes)


def has(**amounts: int) -> dict[str, Standing]:
    return {key.removeprefix("v"): Standing(requested=amount) for key, amount in amounts.items()}


def said(steps: tuple[Step, ...]) -> list[str]:
    return [f"{step.act} {step.qualifier}{f' {step.amount}' if step.amount else ''}" for step in steps]


@pytest.mark.parametrize(
    ("wanted", "versions", "found", "steps"),
    [
        (item(wanted=5, stable=5), MOVES, has(v1=5), ["put 2 5"]),
        (item(wanted=5, stable=5), MOVES, has(v1=5, v2=5), []),
        (item(wanted=5, stable=5), MOVES, has(v1=5, v2=4), ["put 2 5"]),
        (item(wanted=5), MOVES, {}, ["put 2 5"]),
        (item(stable=5), MOVES, has(v1=5), []),
        (item(wanted=5, on_alias=3), MOVES, has(live=3), ["delete live", "put 1 3", "put 2 5"]),
        (item(wanted=5, on_alias=3, in_stack=True), MOVES, {}, ["put 1 3", "put 2 5"]),
        (item(wanted=5, stable=3), STAYS, has(v1=3), ["put 1 5"]),
        (item(wanted=5), STAYS, {}, ["put 1 5"]),
        (item(stable=3), STAYS, has(v1=3), []),
        (item(wanted=2, stable=7, scaling=SCALED), MOVES, has(v1=7), ["put 2 7"]),
        (item(wanted=2, stable=7, scaling=SCALED), MOVES, has(v1=8, v2=7), ["scale 2"]),
    ],
)
def test_before_traffic_shifts(
    wanted: Provisioning, versions: Versions, found: dict[str, Standing], steps: list[str]
) -> None:
    assert said(give(wanted, versions, found)) == steps


def test_a_version_is_scaled_once_it_is_ready() -> None:
    found = {"2": Standing(requested=2, status="IN_PROGRESS")}
    assert give(item(wanted=2, scaling=SCALED), MOVES, found) == ()


@pytest.mark.parametrize(
    ("wanted", "versions", "ready"),
    [
        (item(wanted=5, stable=5), MOVES, ("1", "2")),
        (item(wanted=5), MOVES, ("2",)),
        (item(stable=5), MOVES, ("1",)),
        (item(wanted=5, stable=3), STAYS, ("1",)),
        (item(stable=3), STAYS, ()),
    ],
)
def test_what_must_be_ready(wanted: Provisioning, versions: Versions, ready: tuple[str, ...]) -> None:
    assert await_ready(wanted, versions) == ready


@pytest.mark.parametrize(
    ("wanted", "versions", "found", "steps"),
    [
        (item(wanted=5, stable=5), MOVES, has(v1=5, v2=5), ["delete 1"]),
        (item(wanted=5, stable=5), MOVES, has(v2=5), []),
        (item(stable=5), MOVES, has(v1=5), ["delete 1"]),
        (item(wanted=5, stable=3), STAYS, has(v1=5), []),
        (item(stable=3), STAYS, has(v1=3), ["delete 1"]),
        (item(wanted=5, stable=5, previous=SCALED), MOVES, has(v1=5, v2=5), ["unscale 1", "delete 1"]),
    ],
)
def test_after_the_bake(
    wanted: Provisioning, versions: Versions, found: dict[str, Standing], steps: list[str]
) -> None:
    assert said(retire(wanted, versions, found)) == steps


@pytest.mark.parametrize(
    ("wanted", "versions", "found", "steps"),
    [
        (item(wanted=5, stable=5), MOVES, has(v1=5, v2=5), ["delete 2"]),
        (item(wanted=5, stable=5), MOVES, has(v2=5), ["delete 2", "put 1 5"]),
        (item(wanted=5, stable=5), MOVES, has(v1=5), []),
        (item(wanted=5), MOVES, has(v2=5), ["delete 2"]),
        (item(wanted=5, on_alias=3, in_stack=True), MOVES, has(v1=3, v2=5), ["delete 2", "delete 1"]),
        (item(wanted=5, on_alias=3), MOVES, has(v1=3, v2=5), ["delete 2"]),
        (item(wanted=5, stable=3), STAYS, has(v1=5), ["put 1 3"]),
        (item(wanted=5), STAYS, has(v1=5), ["delete 1"]),
        (
            item(wanted=2, stable=5, scaling=SCALED, previous=SCALED),
            MOVES,
            has(v1=6, v2=5),
            ["unscale 2", "delete 2", "scale 1"],
        ),
        (item(wanted=2, stable=5, scaling=SCALED), STAYS, has(v1=5), ["unscale 1"]),
    ],
)
def test_when_the_release_is_undone(
    wanted: Provisioning, versions: Versions, found: dict[str, Standing], steps: list[str]
) -> None:
    assert said(undo(wanted, versions, found)) == steps


AMOUNTS = st.integers(0, 3)
ITEMS = st.builds(item, wanted=AMOUNTS, stable=AMOUNTS, on_alias=AMOUNTS, in_stack=st.booleans()).filter(
    lambda one: not (one.stable and one.on_alias)
)


def apply(
    found: dict[str, Standing], steps: tuple[Step, ...], until: int | None = None
) -> dict[str, Standing]:
    """What stands after the first so many steps."""
    after = dict(found)
    for step in steps[:until]:
        if step.act is Act.PUT:
            after[step.qualifier] = Standing(requested=step.amount)
        elif step.act is Act.DELETE:
            after.pop(step.qualifier, None)
    return after


@given(ITEMS, st.sampled_from([MOVES, STAYS]), st.integers(0, 4), st.integers(0, 3), st.booleans())
def test_wherever_a_release_dies_undoing_it_leaves_what_was(
    wanted: Provisioning, versions: Versions, given_steps: int, undo_steps: int, retired: bool
) -> None:
    """Steps may stop at any call and be taken up again; what is on an alias by hand ends on the version."""
    before: dict[str, Standing] = {}
    if wanted.stable:
        before["1"] = Standing(requested=wanted.stable)
    on_alias = wanted.on_alias and not wanted.in_stack
    start = before | ({"live": Standing(requested=wanted.on_alias)} if on_alias else {})
    found = apply(start, give(wanted, versions, start), None if retired else given_steps)
    if retired:
        found = apply(found, give(wanted, versions, found))
        assert give(wanted, versions, found) == ()
        found = apply(found, retire(wanted, versions, found))
        assert retire(wanted, versions, found) == ()
        assert set(found) == ({versions.newest} if wanted.wanted else set())
    found = apply(found, undo(wanted, versions, found), undo_steps)
    found = apply(found, undo(wanted, versions, found))
    found.pop("live", None)
    expected = before | ({"1": Standing(requested=wanted.on_alias)} if on_alias else {})
    assert found == expected
    assert undo(wanted, versions, found) == ()


def test_the_cost_is_that_of_the_published_price() -> None:
    """$0.0000041667 for a GB-second: 100 executions of 1.5 GB for an hour are $2.25, as on AWS's page."""
    assert cost(100, 1536, "x86_64") == pytest.approx(2.25, abs=0.001)
    assert cost(100, 1536, "arm64") == pytest.approx(1.80, abs=0.001)
    one = item(wanted=100, stable=50, memory=1024)
    assert total_cost((one, one)) == pytest.approx(2 * 1.5 * cost(100, 1024, "x86_64"))
    finding = describe(one)
    assert (finding.severity, finding.kind) == (Severity.INFO, "provisioned")
    assert "is 50 now and 100 for a new version" in finding.what
    assert "$2.2500 an hour with both, $1.5000 after" in finding.action
    moved = describe(item(wanted=1, on_alias=1))
    assert moved.severity is Severity.REPAIR
    assert moved.what.endswith("; what its alias has moves to the versions")


def scaling_of(target: dict[str, Any], parameters: dict[str, str], policy: dict[str, Any]) -> Any:
    data: dict[str, Any] = {
        "Parameters": {"Most": {"Type": "Number"}},
        "Resources": {
            "Place": {
                "Type": "AWS::Lambda::Function",
                "Properties": {"Handler": "a.b", "Runtime": "python3.12", "Role": "r"},
            },
            "Target": {
                "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
                "Properties": {
                    "ScalableDimension": "lambda:function:ProvisionedConcurrency",
                    "ResourceId": {"Fn::Sub": "function:${Place}:live"},
                    **target,
                },
            },
            "Policy": {
                "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
                "Properties": {"PolicyType": "TargetTrackingScaling", **policy},
            },
        },
    }
    prepared = prepare(Template(data=data))
    normalized = normalize(data, prepared)
    assert "Target" not in normalized.template["Resources"]
    return read_features(normalized.template, normalized.functions, parameters)["Place"]


@pytest.mark.parametrize(
    "named",
    [{"ScalingTargetId": {"Ref": "Target"}}, {"ResourceId": {"Fn::Sub": "function:${Place}:live"}}],
)
def test_scaling_is_read_from_the_template(named: dict[str, Any]) -> None:
    named = {**named, "ScalableDimension": "lambda:function:ProvisionedConcurrency"}
    action = {"ScheduledActionName": "night", "Schedule": "cron(0 22 * * ? *)"}
    target = {"MinCapacity": "2", "MaxCapacity": {"Ref": "Most"}, "ScheduledActions": [action]}
    found = scaling_of(target, {"Most": "9"}, named)
    assert found.scaling == Scaling(
        minimum=2,
        maximum=9,
        policies=({"PolicyName": "Policy", "PolicyType": "TargetTrackingScaling"},),
        actions=(action,),
    )
    assert (found.wanted, found.unknown) == (2, ())


def test_scaling_that_only_the_deployment_knows_is_unknown() -> None:
    found = scaling_of(
        {"MinCapacity": 1, "MaxCapacity": {"Ref": "Most"}}, {}, {"ScalingTargetId": {"Ref": "Target"}}
    )
    assert (found.scaling, found.unknown) == (None, ("ScalableTarget",))
