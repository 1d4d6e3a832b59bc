"""A stack and its children read as one, through the local cloud."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.adapters.test_stacks import Stack
from tidegate.adapters.stack_trees import explain_failure, list_resources, read_tree
from tidegate.adapters.stacks import find_change_set

if TYPE_CHECKING:
    from tests.scene import Scene

CHILDREN = ("Orders", "Orders/Deep")


@pytest.fixture
def stack(scene: Scene) -> Stack:
    return Stack(scene)


def queue(delay: int = 1) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": delay}}


def nest(stack: Stack, resources: dict[str, Any]) -> dict[str, Any]:
    key = f"packages/{uuid.uuid4().hex}.json"
    stack.stage.documents.write_bytes(key, json.dumps({"Resources": resources}).encode())
    properties = {"TemplateURL": stack.stage.documents.url(key)}
    return {"Type": "AWS::CloudFormation::Stack", "Properties": properties}


def test_what_lies_in_children_is_told_by_their_names(stack: Stack) -> None:
    deep = nest(stack, {"Jobs": queue()})
    resources = {"Jobs": queue(), "Orders": nest(stack, {"Jobs": queue(), "Deep": deep})}
    found = stack.propose("first", resources, nested=True)
    assert [one.logical_id for one in found.changes] == [
        "Jobs", "Orders", "Orders/Deep", "Orders/Jobs", "Orders/Deep/Jobs",
    ]  # fmt: skip
    assert stack.run("second", resources).is_healthy
    standing = list_resources(stack.client, stack.name, CHILDREN)
    assert set(standing) == {"Jobs", "Orders", "Orders/Deep", "Orders/Jobs", "Orders/Deep/Jobs"}
    assert len({standing[name] for name in standing if name.endswith("Jobs")}) == 3
    assert set(list_resources(stack.client, stack.name)) == {"Jobs", "Orders"}
    assert set(read_tree(stack.client, stack.name, ("Bills", "Bills/Deep", "Jobs"))) == {""}


def test_a_failure_is_told_where_it_lies(stack: Stack) -> None:
    bad = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "no such name"}}
    resources = {"Orders": nest(stack, {"Deep": nest(stack, {"Bad": bad})})}
    assert stack.run("first", resources).status == "ROLLBACK_COMPLETE"
    assert explain_failure(stack.client, stack.name).startswith("Orders/Deep/Bad (AWS::SQS::Queue): ")


def test_what_a_child_cannot_be_is_told(stack: Stack) -> None:
    bad = {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": {"Ref": "Nowhere"}}}
    found = stack.propose("first", {"Orders": nest(stack, {"Deep": nest(stack, {"Bad": bad})})}, nested=True)
    assert found.status == "FAILED"
    assert "Nowhere" in found.reason
    assert find_change_set(stack.client, stack.name, "none") is None
