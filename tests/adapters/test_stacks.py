"""Stacks and change sets, one call at a time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.scene import eventually
from tidegate.adapters import stack_trees, stacks
from tidegate.adapters.stacks import ChangeSet, StackState
from tidegate.domain.errors import ChangeSetFailed

if TYPE_CHECKING:
    from tests.scene import Scene

BROKEN = {
    "Type": "AWS::SNS::Subscription",
    "Properties": {
        "TopicArn": "arn:aws:sns:us-east-1:123456789012:nowhere",
        "Protocol": "sqs",
        "Endpoint": "x",
    },
}


def queue(delay: int = 1) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": delay}}


class Stack:
    """One stack of a scene's staging."""

    def __init__(self, scene: Scene) -> None:
        self.name = f"{scene.unique}-stack"
        self.stage = scene.tools.stage(scene.staging)
        self.client = self.stage.cloudformation
        self.role = self.stage.target.cloudformation_role

    def propose(self, name: str, resources: dict[str, Any], **changes: Any) -> ChangeSet:
        """A change set, computed."""
        body = {"Resources": resources, **changes.pop("sections", {})}
        key = f"releases/{name}.json"
        self.stage.documents.write_bytes(key, json.dumps(body).encode())
        options = {"parameters": {}, "capabilities": (), "exists": False} | changes
        stacks.create_change_set(
            self.client,
            self.name,
            name,
            template_url=self.stage.documents.url(key),
            role=self.role,
            **options,
        )

        def computed() -> ChangeSet | None:
            found = stacks.find_change_set(self.client, self.name, name)
            return found if found and not found.is_pending else None

        found: ChangeSet = eventually(computed)
        return found

    def end(self) -> StackState:
        def at_rest() -> StackState | None:
            found = stacks.find_stack(self.client, self.name)
            return found if found and not found.is_busy else None

        found: StackState = eventually(at_rest)
        return found

    def run(self, name: str, resources: dict[str, Any], **changes: Any) -> StackState:
        self.propose(name, resources, **changes)
        stacks.execute(self.client, self.name, name)
        return self.end()


@pytest.fixture
def stack(scene: Scene) -> Stack:
    return Stack(scene)


@pytest.mark.parametrize(
    ("status", "traits"),
    [
        ("CREATE_IN_PROGRESS", "busy"),
        ("UPDATE_IN_PROGRESS", "busy"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "busy"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "busy"),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "busy"),
        ("DELETE_IN_PROGRESS", "busy"),
        ("REVIEW_IN_PROGRESS", "carcass"),
        ("ROLLBACK_COMPLETE", "carcass"),
        ("ROLLBACK_FAILED", "carcass"),
        ("CREATE_FAILED", "carcass"),
        ("UPDATE_ROLLBACK_FAILED", "operator"),
        ("DELETE_FAILED", "operator"),
        ("CREATE_COMPLETE", "healthy"),
        ("UPDATE_COMPLETE", "healthy"),
        ("IMPORT_COMPLETE", "healthy"),
        ("UPDATE_ROLLBACK_COMPLETE", ""),
    ],
)
def test_what_a_status_means(status: str, traits: str) -> None:
    state = StackState(name="s", status=status)
    found = {
        "busy": state.is_busy,
        "carcass": state.is_carcass,
        "operator": state.needs_operator,
        "healthy": state.is_healthy,
    }
    assert [name for name, value in found.items() if value] == ([traits] if traits else [])


@pytest.mark.parametrize("reason", stacks.NO_CHANGES)
def test_nothing_to_change_is_no_failure(reason: str) -> None:
    assert ChangeSet(status="FAILED", execution="UNAVAILABLE", reason=f"The {reason}.").is_empty
    assert not ChangeSet(status="FAILED", execution="UNAVAILABLE", reason="other").is_empty
    assert ChangeSet(status="CREATE_PENDING", execution="").is_pending


def test_a_stack_comes_up_changes_and_goes(stack: Stack) -> None:
    client = stack.client
    assert stacks.find_stack(client, stack.name) is None
    assert stacks.find_change_set(client, stack.name, "first") is None
    first = stack.propose("first", {"Jobs": queue()})
    assert [(c.action, c.logical_id, c.type) for c in first.changes] == [("Add", "Jobs", "AWS::SQS::Queue")]
    assert (first.status, first.execution) == ("CREATE_COMPLETE", "AVAILABLE")
    assert stack.end().status == "REVIEW_IN_PROGRESS"
    for _ in range(2):
        stacks.execute(client, stack.name, "first")
    assert stack.end().is_healthy
    assert stack_trees.list_resources(client, stack.name)["Jobs"].startswith("http")
    assert json.loads(stacks.read_template(client, stack.name)) == {"Resources": {"Jobs": queue()}}
    same = stack.propose("same", {"Jobs": queue()}, exists=True)
    assert same.is_empty
    second = stack.propose("second", {"Jobs": queue(2)}, exists=True)
    (change,) = second.changes
    assert (change.action, change.replacement, change.properties) == ("Modify", False, ("DelaySeconds",))
    stacks.delete_change_set(client, stack.name, "second")
    stacks.delete_change_set(client, stack.name, "second")
    assert stacks.find_change_set(client, stack.name, "second") is None
    stacks.delete(client, stack.name, stack.role)
    eventually(lambda: stacks.find_stack(client, stack.name) is None)
    stacks.delete(client, stack.name, stack.role)


def test_a_change_set_asked_for_twice_is_one(stack: Stack) -> None:
    first = stack.propose("first", {"Jobs": queue()})
    assert stack.propose("first", {"Jobs": queue()}) == first


def test_many_changes_are_read_page_by_page(stack: Stack) -> None:
    found = stack.propose("first", {f"Jobs{i}": queue() for i in range(130)})
    assert len({change.logical_id for change in found.changes}) == 130


def test_secret_parameters_keep_their_value(stack: Stack) -> None:
    sections = {"Parameters": {"Secret": {"Type": "String", "NoEcho": True}, "Delay": {"Type": "Number"}}}
    resources = {"Jobs": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": {"Ref": "Delay"}}}}
    given = {"Secret": "s3cret", "Delay": "1"}
    state = stack.run("first", resources, sections=sections, parameters=given)
    assert state.parameters == {"Secret": stacks.MASKED, "Delay": "1"}
    again = {**state.parameters, "Delay": "2"}
    assert stack.run("second", resources, sections=sections, parameters=again, exists=True).is_healthy


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"exists": True}, "does not exist"),
        ({"parameters": {"Unknown": "1"}}, "Unknown"),
        ({"sections": {"Parameters": {"Needed": {"Type": "String"}}}}, "Needed"),
    ],
)
def test_what_cloudformation_refuses_is_said(stack: Stack, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(
        ChangeSetFailed, match=f"CloudFormation refuses the change set of {stack.name}: .*{said}"
    ):
        stack.propose("first", {"Jobs": queue()}, **changes)


def test_the_resource_that_failed_first_explains_the_stack(stack: Stack) -> None:
    assert stack.run("first", {"Jobs": queue()}).is_healthy
    assert stack_trees.explain_failure(stack.client, stack.name) == "no resource says why"
    resources = {"Jobs": queue(2), "Bad": BROKEN, "Later": {**queue(), "DependsOn": "Bad"}}
    state = stack.run("second", resources, exists=True)
    assert state.status == "UPDATE_ROLLBACK_COMPLETE"
    found = stack_trees.explain_failure(stack.client, stack.name)
    assert found.startswith("Bad (AWS::SNS::Subscription): ")
    assert stack.run("third", {"Jobs": queue(3)}, exists=True).is_healthy
    assert stack_trees.explain_failure(stack.client, stack.name) == "no resource says why"


def test_a_stack_that_fails_by_itself_says_why(stack: Stack) -> None:
    outputs = {"Outputs": {"Name": {"Value": {"Fn::GetAtt": ["Jobs", "Nothing"]}}}}
    assert stack.run("first", {"Jobs": queue()}, sections=outputs).status == "ROLLBACK_COMPLETE"
    found = stack_trees.explain_failure(stack.client, stack.name)
    assert found.startswith(
        "Template error: resource Jobs (AWS::SQS::Queue) does not support attribute type Nothing"
    )


def test_guards_are_created_once_and_deleted_by_number(scene: Scene, stack: Stack) -> None:
    documents = scene.tools.stage(scene.staging).documents
    documents.write_bytes(
        "guard.json", json.dumps({"Resources": {"Jobs": queue()}}).encode(), "application/json"
    )
    url = documents.url("guard.json")
    name = stacks.guard_name(scene.service, scene.staging)
    for _ in range(2):
        stacks.create(stack.client, name, url, stack.role, {"tidegate:release": scene.ref.id})
    state = stacks.find_stack(stack.client, name)
    assert state is not None
    assert state.tags["tidegate:release"] == scene.ref.id
    eventually(lambda: (stacks.find_stack(stack.client, name) or state).is_healthy)
    for functions in (0, 1, 151):
        stacks.delete_guards(stack.client, scene.service, scene.staging, functions, stack.role)
    eventually(lambda: stacks.find_stack(stack.client, name) is None)


class Denied:
    """A client whose every call is denied."""

    def __getattr__(self, name: str) -> Any:
        def call(**_: Any) -> Any:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, name)

        return call


def test_other_faults_pass(stack: Stack) -> None:
    client: Any = Denied()
    options: dict[str, Any] = {"template_url": "", "parameters": {}, "capabilities": (), "role": ""}
    for call in (
        lambda: stacks.find_stack(client, stack.name),
        lambda: stacks.find_change_set(client, stack.name, "first"),
        lambda: stacks.create_change_set(client, stack.name, "first", exists=False, **options),
        lambda: stacks.execute(client, stack.name, "first"),
        lambda: stacks.create(client, stack.name, "{}", "", {}),
        lambda: stacks.delete_change_set(client, stack.name, "first"),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            call()
