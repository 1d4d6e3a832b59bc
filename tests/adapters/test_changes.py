"""A change set driven to its end, from wherever an earlier run has left it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.adapters.test_stacks import BROKEN, Stack, queue
from tests.scene import eventually
from tidegate.adapters.changes import advance, check_operable
from tidegate.adapters.stacks import read_template
from tidegate.domain.errors import ChangeSetFailed, StackNeedsOperator

if TYPE_CHECKING:
    from tests.scene import Scene


@pytest.fixture
def stack(scene: Scene) -> Stack:
    return Stack(scene)


def drive(stack: Stack, name: str) -> int:
    """Advance until the stack is as asked; gives the number of looks."""
    looks = [0]

    def done() -> bool:
        looks[0] += 1
        return advance(stack.client, stack.name, name)

    eventually(done)
    return looks[0]


def test_a_change_set_is_executed_and_awaited(stack: Stack) -> None:
    stack.propose("first", {"Jobs": queue()})
    assert not advance(stack.client, stack.name, "first")
    drive(stack, "first")
    assert stack.end().status == "CREATE_COMPLETE"
    assert advance(stack.client, stack.name, "first")


def test_a_failed_change_names_the_resource(stack: Stack) -> None:
    stack.run("first", {"Jobs": queue()})
    stack.propose("second", {"Jobs": queue(2), "Bad": BROKEN}, exists=True)
    with pytest.raises(ChangeSetFailed, match=r"is UPDATE_ROLLBACK_COMPLETE: Bad \(AWS::SNS::Subscription\)"):
        drive(stack, "second")


def test_a_first_change_that_fails_names_the_resource(stack: Stack) -> None:
    stack.propose("first", {"Bad": BROKEN})
    with pytest.raises(ChangeSetFailed, match=r"is ROLLBACK_COMPLETE: Bad"):
        drive(stack, "first")


def test_a_change_after_a_failed_one_is_executed(stack: Stack) -> None:
    stack.run("first", {"Jobs": queue()})
    assert not stack.run("second", {"Jobs": queue(2), "Bad": BROKEN}, exists=True).is_healthy
    stack.propose("third", {"Jobs": queue(3)}, exists=True)
    drive(stack, "third")
    assert stack.end().status == "UPDATE_COMPLETE"


def test_somebody_elses_change_is_not_overwritten(stack: Stack) -> None:
    stack.run("first", {"Jobs": queue()})
    stack.propose("planned", {"Jobs": queue(2)}, exists=True)
    stack.run("foreign", {"Jobs": queue(5)}, exists=True)
    with pytest.raises(ChangeSetFailed, match="was changed by somebody else after the plan"):
        advance(stack.client, stack.name, "planned")
    assert json.loads(read_template(stack.client, stack.name))["Resources"]["Jobs"] == queue(5)


class Lagging:
    """CloudFormation whose execution has begun, while the stack's status still is what it was."""

    def __init__(self, client: Any, stale: Any) -> None:
        self._client = client
        self._stale = stale

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def describe_stacks(self, **_: Any) -> Any:
        return self._stale

    def describe_change_set(self, **arguments: Any) -> Any:
        return {**self._client.describe_change_set(**arguments), "ExecutionStatus": "EXECUTE_IN_PROGRESS"}


def test_an_execution_that_has_begun_is_not_taken_for_ended(stack: Stack) -> None:
    stack.run("first", {"Jobs": queue()})
    stack.propose("second", {"Jobs": queue(2)}, exists=True)
    stale = stack.client.describe_stacks(StackName=stack.name)
    assert not advance(Lagging(stack.client, stale), stack.name, "second")  # type: ignore[arg-type]


def test_a_stack_that_is_gone_is_named(stack: Stack) -> None:
    assert check_operable(stack.client, stack.name) is None
    with pytest.raises(ChangeSetFailed, match=f"stack {stack.name} is gone"):
        advance(stack.client, stack.name, "first")


class Stuck:
    """CloudFormation with one stack in a state that only a person can end."""

    def __init__(self, status: str) -> None:
        self.status = status

    def describe_stacks(self, **_: Any) -> Any:
        stack = {
            "StackName": "orders",
            "StackStatus": self.status,
            "StackStatusReason": "Jobs cannot be put back",
        }
        return {"Stacks": [stack]}

    def describe_change_set(self, **_: Any) -> Any:
        message = "there is none"
        raise ClientError({"Error": {"Code": "ChangeSetNotFound", "Message": message}}, "DescribeChangeSet")


@pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_FAILED", "DELETE_FAILED"])
def test_what_only_a_person_can_end_is_told(status: str) -> None:
    client: Any = Stuck(status)
    with pytest.raises(
        StackNeedsOperator, match=f"stack orders is {status}: Jobs cannot be put back; "
    ) as told:
        advance(client, "orders", "first")
    command = "delete-stack" if status == "DELETE_FAILED" else "continue-update-rollback"
    assert f"`aws cloudformation {command} --stack-name orders`, and release again" in str(told.value)


def test_a_change_set_that_is_gone_has_ended_if_the_stack_is_well() -> None:
    client: Any = Stuck("UPDATE_COMPLETE")
    assert advance(client, "orders", "first")
