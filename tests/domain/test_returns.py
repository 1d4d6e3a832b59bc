"""Which changes of a stack may be made on the way back to an earlier release."""

from __future__ import annotations

import pytest

from tidegate.domain.healthy import Healthy, HealthyFunction, list_distinct, plan_moves
from tidegate.domain.returns import TOLD, find_obstacles
from tidegate.domain.rollouts import RollingFunction
from tidegate.domain.templates.changes import Action, ChangedResource


def change(action: Action, kind: str, *, replacement: bool = False, name: str = "Thing") -> ChangedResource:
    return ChangedResource(action=action, logical_id=name, type=kind, replacement=replacement, properties=())


@pytest.mark.parametrize("action", ["Add", "Modify", "Remove"])
def test_what_holds_nothing_may_come_and_go(action: Action) -> None:
    assert find_obstacles([change(action, "AWS::Lambda::Permission", replacement=True)]) == ()
    assert find_obstacles([change("Modify", "AWS::DynamoDB::Table")]) == ()


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (change("Remove", "AWS::SQS::Queue"), "has come since and would be deleted, with what it holds"),
        (change("Add", "AWS::S3::Bucket"), "has been deleted since and would come back empty"),
        (change("Modify", "AWS::Lambda::Function", replacement=True), "would be replaced: what it holds"),
        (change("Dynamic", "AWS::CloudFormation::Stack"), "may change in ways that cannot be known"),
        (change("Remove", "AWS::Lambda::Function"), "has come since"),
        (change("Remove", "Custom::Thing"), "has come since"),
    ],
)
def test_what_could_be_lost_keeps_the_stack_as_it_is(found: ChangedResource, said: str) -> None:
    (obstacle,) = find_obstacles([found, change("Modify", "AWS::Lambda::Function")])
    assert obstacle.startswith(f"Thing ({found.type}) {said}")


def test_very_many_obstacles_are_counted() -> None:
    many = [change("Remove", "AWS::SQS::Queue", name=f"Q{number}") for number in range(TOLD + 5)]
    found = find_obstacles(many)
    assert (len(found), found[-1]) == (TOLD + 1, "and 5 more")


def healthy(release_id: str, restores: str = "", **versions: str) -> Healthy:
    functions = {
        key: HealthyFunction(name=key.lower(), alias="live", version=version, log_group="/g")
        for key, version in versions.items()
    }
    return Healthy(
        stage="production", release_id=release_id, restores=restores, artifacts={}, functions=functions
    )


def test_a_release_that_was_gone_back_to_stands_once_where_it_was_last_live() -> None:
    chain = [("5", healthy("a-2", restores="a-1")), ("4", healthy("c-1")), ("3", healthy("a-1"))]
    assert [(key, one.label) for key, one in list_distinct(chain)] == [("5", "a-1"), ("4", "c-1")]


def test_every_alias_that_has_a_version_to_go_to_moves() -> None:
    moving = RollingFunction(
        logical_id="Ship", name="ship", alias="live", stable="4", canary="5", log_group="/g"
    )
    new = moving.model_copy(update={"logical_id": "New", "name": "new", "stable": "1", "canary": "2"})
    now = healthy("c-1", Place="7", Ship="4", Later="1").functions
    moves = plan_moves(healthy("a-1", Place="2", Ship="3"), now, [moving, new])
    found = {f.logical_id: (f.stable, f.canary) for f in moves}
    assert found == {"Place": ("2", "7"), "Ship": ("3", "5"), "New": ("1", "2")}
