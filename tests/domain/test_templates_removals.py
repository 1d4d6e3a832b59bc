from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.domain.templates.intrinsics import copy, references
from tidegate.domain.templates.removals import Removals, Sides, hold_removed
from tidegate.domain.templates.values import MASKED, Values

FUNCTION = {"Type": "AWS::Lambda::Function", "Properties": {"Role": {"Fn::GetAtt": ["Role", "Arn"]}}}
BASE = {"Place": FUNCTION, "Role": {"Type": "AWS::IAM::Role"}}
QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 30}}
AROUND = {"AWS::Region": "us-east-1", "AWS::AccountId": "123456789012", "AWS::Partition": "aws"}


def keep(
    dropped: dict[str, Any],
    old: dict[str, Any] | None = None,
    new: dict[str, Any] | None = None,
    before: dict[str, str] | None = None,
    after: dict[str, str] | None = None,
    resources: dict[str, Any] | None = None,
) -> Removals:
    """What is kept of `dropped`; `old` and `new` are further sections of the templates."""
    deployed = {**(old or {}), "Resources": copy({**BASE, **dropped})}
    template = {**(new or {}), "Resources": copy({**BASE, **(resources or {})})}
    was, now = before or {}, after if after is not None else (before or {})
    standing = dict.fromkeys(deployed["Resources"], "physical")
    values = (Values(deployed, was, standing, AROUND), Values(template, now, standing, AROUND))
    changed = frozenset(name for name, value in now.items() if was.get(name) != value)
    return hold_removed(Sides(deployed, template, values, changed), standing)


def kept(found: Removals, name: str) -> Any:
    assert found.template is not None
    return found.template["Resources"][name]


def test_a_resource_that_is_dropped_is_kept_as_it_was() -> None:
    found = keep({"Queue": QUEUE})
    assert found.held == ("Queue",)
    assert kept(found, "Queue") == QUEUE
    assert set(found.template or {}) == {"Resources"}
    assert keep({}) == Removals()


def test_what_brings_requests_goes_at_once_and_so_does_what_hangs_on_it() -> None:
    rule = {"Type": "AWS::Events::Rule", "Properties": {}}
    permission = {
        "Type": "AWS::Lambda::Permission",
        "Properties": {"FunctionName": {"Ref": "Place"}, "SourceArn": {"Fn::GetAtt": ["Rule", "Arn"]}},
    }
    mapping = {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {"EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]}},
    }
    assert keep({"Rule": rule, "Permission": permission}) == Removals()
    assert keep({"Queue": QUEUE, "Mapping": mapping}).held == ("Queue",)
    alarm = {"Type": "AWS::CloudWatch::Alarm", "Properties": {"AlarmActions": [{"Ref": "Rule"}]}}
    found = keep({"Rule": rule, "Alarm": alarm})
    assert found.held == ()
    assert found.at_once == ("Alarm: it is not kept, since Rule goes at once",)


def test_an_address_is_kept_with_its_parts_and_its_permission() -> None:
    api = {"Type": "AWS::ApiGateway::RestApi", "Properties": {}}
    stage = {
        "Type": "AWS::ApiGateway::Stage",
        "Properties": {"RestApiId": {"Ref": "Api"}, "DeploymentId": {"Ref": "D"}},
    }
    deployment = {"Type": "AWS::ApiGateway::Deployment", "Properties": {"RestApiId": {"Ref": "Api"}}}
    permission = {
        "Type": "AWS::Lambda::Permission",
        "Properties": {"FunctionName": {"Ref": "Place"}, "SourceArn": {"Fn::Sub": "arn:${Api}/*"}},
    }
    parts = {"Stage": stage, "D": deployment, "Permission": permission}
    assert keep({"Api": api, **parts}).held == ("Api", "D", "Permission", "Stage")
    deployed = {"Api": api, "D": deployment, "Stage": stage}
    assert keep(deployed, resources={"Api": api, "D2": deployment, "Stage": stage}) == Removals()
    url = {"Type": "AWS::Lambda::Url", "Properties": {"TargetFunctionArn": {"Ref": "Place"}}}
    public = {
        "Type": "AWS::Lambda::Permission",
        "Properties": {"FunctionName": "x", "FunctionUrlAuthType": "NONE"},
    }
    assert keep({"Url": url, "Public": public}).held == ("Public", "Url")


def test_a_function_is_kept_with_its_alias_its_role_and_its_policies() -> None:
    other = {
        "Old": {
            "Type": "AWS::Lambda::Function",
            "Properties": {"Role": {"Fn::GetAtt": ["OldRole", "Arn"]}},
            "DependsOn": ["Rule", "Role", "OldRole"],
        },
        "OldAlias": {
            "Type": "AWS::Lambda::Alias",
            "Properties": {
                "FunctionName": {"Ref": "Old"},
                "FunctionVersion": {"Fn::GetAtt": ["OldAnchor", "Version"]},
            },
        },
        "OldAnchor": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Old"}}},
        "OldRole": {"Type": "AWS::IAM::Role", "Properties": {"ManagedPolicyArns": [{"Ref": "Managed"}]}},
        "Managed": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {}},
        "OldPolicy": {"Type": "AWS::IAM::Policy", "Properties": {"Roles": [{"Ref": "OldRole"}]}},
        "Policy": {"Type": "AWS::IAM::Policy", "Properties": {"Roles": [{"Ref": "Role"}]}},
        "Rule": {"Type": "AWS::Events::Rule", "Properties": {}},
        "Layer": {"Type": "AWS::Lambda::LayerVersion", "Properties": {}},
    }
    found = keep(other)
    assert found.held == ("Managed", "Old", "OldAlias", "OldAnchor", "OldPolicy", "OldRole")
    assert kept(found, "Old")["DependsOn"] == ["Role", "OldRole"]


PARAMETERS = {
    "Parameters": {"Size": {"Type": "String", "Default": "1"}, "Secret": {"Type": "String", "NoEcho": True}}
}
SIZED = {
    "Type": "AWS::SQS::Queue",
    "Properties": {"A": {"Ref": "Size"}, "B": {"Fn::Sub": "x${Size}${AWS::Region}"}},
}


def test_a_parameter_that_stays_the_same_stays_a_reference() -> None:
    found = keep({"Queue": SIZED}, PARAMETERS, PARAMETERS, {"Size": "5"})
    assert kept(found, "Queue") == SIZED
    assert found.parameters == ()


def test_a_parameter_that_is_dropped_too_is_kept_with_its_value() -> None:
    found = keep({"Queue": SIZED}, PARAMETERS, {}, {"Size": "5"}, {})
    assert kept(found, "Queue") == SIZED
    assert found.parameters == ("Size",)
    assert (found.template or {})["Parameters"] == {"Size": PARAMETERS["Parameters"]["Size"]}


def test_a_parameter_that_changes_is_replaced_by_what_it_was() -> None:
    found = keep({"Queue": SIZED}, PARAMETERS, PARAMETERS, {"Size": "5"}, {"Size": "6"})
    properties = kept(found, "Queue")["Properties"]
    assert properties == {"A": "5", "B": {"Fn::Sub": ["x${Size}${AWS::Region}", {"Size": "5"}]}}


def test_a_hidden_parameter_that_changes_cannot_be_kept() -> None:
    hidden = {"Type": "AWS::RDS::DBInstance", "Properties": {"MasterUserPassword": {"Ref": "Secret"}}}
    found = keep({"Db": hidden}, PARAMETERS, PARAMETERS, {"Secret": MASKED}, {"Secret": "other"})
    assert found.held == ()
    assert found.at_once == ("Db: it is not kept, since the value of Secret changes and is not readable",)
    assert keep({"Db": hidden}, PARAMETERS, PARAMETERS, {"Secret": MASKED}).held == ("Db",)


def test_conditions_are_decided_by_the_values_that_held() -> None:
    old = {**PARAMETERS, "Conditions": {"Big": {"Fn::Equals": [{"Ref": "Size"}, "5"]}}}
    queue = {
        "Type": "AWS::SQS::Queue",
        "Condition": "Big",
        "Properties": {"A": {"Fn::If": ["Big", {"Ref": "Place"}, {"Ref": "Gone"}]}},
    }
    found = keep({"Queue": queue}, old, {}, {"Size": "5"}, {})
    assert kept(found, "Queue") == {"Type": "AWS::SQS::Queue", "Properties": {"A": {"Ref": "Place"}}}
    unknown = keep({"Queue": queue}, old, {}, {"Size": MASKED}, {})
    assert unknown.at_once == ("Queue: it is not kept, since the condition Big is not known",)


def test_a_resource_whose_condition_no_longer_holds_is_kept() -> None:
    sections = {**PARAMETERS, "Conditions": {"Big": {"Fn::Equals": [{"Ref": "Size"}, "5"]}}}
    queue = {**QUEUE, "Condition": "Big"}
    found = keep(
        {"Queue": queue}, sections, sections, {"Size": "5"}, {"Size": "6"}, resources={"Queue": queue}
    )
    assert found.held == ("Queue",)
    assert kept(found, "Queue") == QUEUE


def test_a_mapping_that_changes_is_replaced_by_what_it_was() -> None:
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"A": {"Fn::FindInMap": ["M", "a", "b"]}}}
    old = {"Mappings": {"M": {"a": {"b": "1"}}}}
    assert kept(keep({"Queue": queue}, old, {"Mappings": {"M": {"a": {"b": "2"}}}}), "Queue")[
        "Properties"
    ] == {"A": "1"}
    dropped = keep({"Queue": queue}, old)
    assert kept(dropped, "Queue") == queue
    assert (dropped.template or {})["Mappings"] == old["Mappings"]


@pytest.mark.parametrize("count", [498, 499])
def test_a_template_that_would_become_too_large_keeps_nothing_and_says_so(count: int) -> None:
    more = {f"Q{n}": QUEUE for n in range(count - 2)}
    found = keep({"Queue": QUEUE, "Other": QUEUE}, resources=more)
    assert bool(found.template) == (count == 498)
    if not found.template:
        assert found.at_once[0].startswith(
            "Queue: it is not kept, since with what it drops the template would have 501"
        )


TYPES = [
    "AWS::SQS::Queue",
    "AWS::Events::Rule",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Version",
    "AWS::DynamoDB::Table",
]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(TYPES), st.lists(st.integers(0, 7), max_size=3)), max_size=8))
def test_what_is_kept_names_only_what_is_there(shape: Any) -> None:
    dropped = {
        f"R{index}": {"Type": kind, "Properties": {"Roles": [{"Ref": f"R{n % len(shape)}"} for n in named]}}
        for index, (kind, named) in enumerate(shape)
    }
    found = keep(dropped)
    template = found.template or {"Resources": {}}
    for key in found.held:
        assert template["Resources"][key] == dropped[key]
        assert all(one.logical_id in template["Resources"] for one in references(template["Resources"][key]))
    told = {text.partition(":")[0] for text in found.at_once}
    assert told | set(found.held) >= {
        key for key, item in dropped.items() if item["Type"] == "AWS::SQS::Queue"
    }


def test_hundreds_of_resources_that_go_are_kept_in_linear_time() -> None:
    dropped = {f"Q{n}": QUEUE for n in range(480)}
    assert len(keep(dropped).held) == 480
