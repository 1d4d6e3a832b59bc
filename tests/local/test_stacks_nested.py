"""Change sets of nested stacks: what of the children changes is told with the parent's."""

from __future__ import annotations

import json
import uuid

import pytest
from botocore.exceptions import ClientError

from tests.local.stack_driver import Driver


def queue(timeout=30):
    return {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": timeout}}


def where(value):
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value}}


@pytest.fixture
def stack(cloud):
    driver = Driver(cloud, f"nest-{uuid.uuid4().hex[:8]}")
    cloud.client("s3").create_bucket(Bucket=driver.name)
    return driver


def child(stack, name, template, parameters=None):
    """The resource of a child whose template lies in the stack's own bucket."""
    body = json.dumps(template)
    stack.cloud.client("s3").put_object(Bucket=stack.name, Key=name, Body=body)
    url = f"https://s3.amazonaws.com/{stack.name}/{name}"
    return {
        "Type": "AWS::CloudFormation::Stack",
        "Properties": {"TemplateURL": url, "Parameters": parameters or {}},
    }


def inner(timeout=30, reader=False):
    resources = {"Jobs": queue(timeout)}
    if reader:
        resources["Where"] = where({"Ref": "Url"})
    return {
        "Parameters": {"Url": {"Type": "String", "Default": "none"}},
        "Resources": resources,
        "Outputs": {
            "Url": {"Value": {"Ref": "Jobs"}},
            "Name": {"Value": {"Fn::GetAtt": ["Jobs", "QueueName"]}},
        },
    }


def changes(stack, found):
    """(action, path) of a change set and all that are nested in it."""
    told = []
    for item in (one["ResourceChange"] for one in found["Changes"]):
        told.append((item["Action"], item["LogicalResourceId"]))
        if "ChangeSetId" in item:
            nested = stack.api.describe_change_set(ChangeSetName=item["ChangeSetId"])
            assert nested["RootChangeSetId"] == found["ChangeSetId"]
            told += [(action, f"{item['LogicalResourceId']}/{key}") for action, key in changes(stack, nested)]
    return told


def test_a_first_change_set_tells_what_the_children_will_hold(stack):
    resources = {"A": child(stack, "a1", inner()), "Top": queue()}
    found = stack.propose(resources, "CREATE", IncludeNestedStacks=True)
    assert changes(stack, found) == [("Add", "A"), ("Add", "A/Jobs"), ("Add", "Top")]
    assert stack.execute(found) == "CREATE_COMPLETE"


def test_only_the_child_that_changes_is_told_and_touched(stack):
    before = {"A": child(stack, "a1", inner()), "B": child(stack, "b1", inner())}
    stack.create(before)
    other = stack.physical("B")
    found = stack.propose({**before, "A": child(stack, "a2", inner(60))}, IncludeNestedStacks=True)
    assert changes(stack, found) == [("Modify", "A"), ("Modify", "A/Jobs")]
    assert stack.execute(found) == "UPDATE_COMPLETE"
    assert stack.statuses("Jobs", other) == ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]


def test_what_a_sibling_will_tell_is_dynamic_until_then(stack):
    reader = {"Url": {"Fn::GetAtt": ["A", "Outputs.Url"]}}
    before = {"A": child(stack, "a1", inner()), "B": child(stack, "b1", inner(reader=True), reader)}
    stack.create(before)
    found = stack.propose({**before, "A": child(stack, "a2", inner(60))}, IncludeNestedStacks=True)
    assert changes(stack, found) == [
        ("Modify", "A"), ("Modify", "A/Jobs"), ("Modify", "B"), ("Modify", "B/Where"),
    ]  # fmt: skip
    assert stack.execute(found) == "UPDATE_COMPLETE"


def test_a_child_that_cannot_be_planned_fails_the_whole(stack):
    broken = child(stack, "a1", {"Resources": {"Jobs": queue({"Ref": "Nowhere"})}})
    found = stack.propose({"A": broken}, "CREATE", IncludeNestedStacks=True)
    assert found["Status"] == "FAILED"
    assert "Nested change set arn:" in found["StatusReason"]
    nested = stack.api.describe_change_set(ChangeSetName=found["StatusReason"].split()[3])
    assert "Nowhere" in nested["StatusReason"]


def test_only_the_root_can_be_executed(stack):
    found = stack.propose({"A": child(stack, "a1", inner())}, "CREATE", IncludeNestedStacks=True)
    nested = found["Changes"][0]["ResourceChange"]["ChangeSetId"]
    with pytest.raises(ClientError, match="is nested: execute its root"):
        stack.api.execute_change_set(ChangeSetName=nested)


def test_without_the_option_the_child_is_all_that_is_told(stack):
    found = stack.propose({"A": child(stack, "a1", inner())}, "CREATE")
    assert changes(stack, found) == [("Add", "A")]
