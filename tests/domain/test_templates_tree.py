"""The tree of templates by value: children, parameters that flow to them, and the tree put together."""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar

import pytest

from tidegate.domain.errors import UnsupportedTemplate
from tidegate.domain.preferences import read_preferences
from tidegate.domain.templates.aliases import RolledFunction
from tidegate.domain.templates.changes import ChangedResource, changed_functions
from tidegate.domain.templates.literals import UNKNOWN, Literals
from tidegate.domain.templates.preparation import DeploymentPreference
from tidegate.domain.templates.removals import Removals, settle_parameters
from tidegate.domain.templates.roles import Side, read_roles, roles_of_functions
from tidegate.domain.templates.template import Template
from tidegate.domain.templates.tree import (
    check_place,
    find_children,
    has_children,
    link,
    pass_parameters,
    with_parents,
)
from tidegate.domain.templates.values import Values

STACK, APPLICATION = "AWS::CloudFormation::Stack", "AWS::Serverless::Application"
AROUND = {"AWS::Region": "eu-west-1", "AWS::AccountId": "123456789012", "AWS::Partition": "aws"}


def template(resources: dict[str, Any], **sections: Any) -> Template:
    return Template(
        data={"Resources": resources, **sections}, file="t.yaml", lines=dict.fromkeys(resources, 7)
    )


def nested(**parameters: Any) -> dict[str, Any]:
    return {"Type": STACK, "Properties": {"TemplateURL": "./c.yaml", "Parameters": parameters}}


def test_children_are_the_nested_stacks_with_local_templates() -> None:
    found = find_children(
        template(
            {
                "Own": nested(),
                "App": {"Type": APPLICATION, "Properties": {"Location": "app/template.yaml"}},
                "Far": {"Type": STACK, "Properties": {"TemplateURL": "https://b.s3.amazonaws.com/t.json"}},
                "Made": {"Type": STACK, "Properties": {"TemplateURL": {"Fn::Sub": "https://${B}/t.json"}}},
                "Bare": {"Type": STACK},
            }
        )
    )
    assert [(one.logical_id, one.file, one.line) for one in found] == [
        ("Own", "./c.yaml", 7),
        ("App", "app/template.yaml", 7),
    ]


def test_a_template_that_nests_itself_is_named_with_its_circle() -> None:
    (child,) = find_children(template({"Own": nested()}))
    check_place(template({}), child, "c.yaml", ("a.yaml", "b.yaml"))
    with pytest.raises(UnsupportedTemplate, match=r"t.yaml:?7?.*Own nests .* b.yaml -> c.yaml -> b.yaml"):
        check_place(template({"Own": nested()}), child, "b.yaml", ("a.yaml", "b.yaml", "c.yaml"))


def test_five_deep_is_allowed_and_six_is_not() -> None:
    (child,) = find_children(template({"Own": nested()}))
    files = [f"{number}.yaml" for number in range(6)]
    check_place(template({"Own": nested()}), child, "c.yaml", tuple(files[:5]))
    with pytest.raises(UnsupportedTemplate, match="nested more than 5 deep"):
        check_place(template({"Own": nested()}), child, "c.yaml", tuple(files))


class TestParametersThatAChildIsGiven:
    CHILD = template({}, Parameters={"A": {"Type": "Number", "Default": 1}, "B": {"Type": "String"}})

    def give(self, given: dict[str, str] | None = None, **passed: Any) -> dict[str, str]:
        parent = template(
            {"Own": nested(**passed), "Queue": {"Type": "AWS::SQS::Queue"}},
            Parameters={"Name": {"Type": "String", "Default": "shop"}, "Open": {"Type": "String"}},
            Conditions={"IsBig": {"Fn::Equals": [{"Ref": "Name"}, "big"]}},
        )
        return pass_parameters(parent, given or {}, "Own", self.CHILD)

    def test_are_the_literals_of_its_parent(self) -> None:
        assert self.give(A=256, B=True) == {"A": "256", "B": "true"}
        assert self.give(B=["a", "b"]) == {"B": "a,b"}
        assert self.give(B={"Fn::Sub": "${Name}-x"}) == {"B": "shop-x"}
        assert self.give({"Name": "big"}, B={"Fn::If": ["IsBig", "1", "2"]}) == {"B": "1"}
        assert self.give({"AWS::Region": "eu-west-1"}, B={"Ref": "AWS::Region"})["B"] == "eu-west-1"

    def test_are_unknown_where_only_the_deployment_knows_them(self) -> None:
        assert self.give(A={"Ref": "Queue"}, B={"Ref": "Open"}) == {"A": UNKNOWN, "B": UNKNOWN}
        assert self.give(B=["a", {"Ref": "Queue"}]) == {"B": UNKNOWN}

    def test_are_its_own_defaults_where_nothing_is_passed(self) -> None:
        assert self.give() == {}
        assert self.give(A={"Ref": "AWS::NoValue"}) == {}

    def test_that_are_unknown_do_not_fall_back_to_the_default(self) -> None:
        assert Literals(self.CHILD, {}).read_if_known({"Ref": "A"}) == 1
        assert Literals(self.CHILD, {"A": UNKNOWN}).read_if_known({"Ref": "A"}) == {"Ref": "A"}


class TestLinking:
    TREE: ClassVar[dict[str, Any]] = {
        "": {"Resources": {"One": nested(), "Two": nested(), "Far": nested()}},
        "One": {"Resources": {"Deep": nested()}},
        "One/Deep": {"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}},
        "Two": {"Resources": {"T": {"Type": "AWS::SNS::Topic"}}},
    }

    def locate(self, key: str) -> str:
        return f"https://bucket.s3.eu-west-1.amazonaws.com/{key}"

    def address(self, linked: dict[str, Any], child: str) -> str:
        return str(linked["Resources"][child]["Properties"]["TemplateURL"])

    def test_gives_each_child_an_address_by_its_content(self) -> None:
        linked = link(self.TREE, self.locate)
        assert self.address(linked.root, "Far") == "./c.yaml"
        assert len(linked.bodies) == 3
        for name in ("One", "Two"):
            assert self.address(linked.root, name).partition("amazonaws.com/")[2] in linked.bodies
        assert has_children(json.dumps(linked.root))
        assert not has_children(json.dumps(self.TREE[""]))

    def test_changes_the_addresses_above_a_change_and_no_others(self) -> None:
        before = link(self.TREE, self.locate)
        changed = {**self.TREE, "One/Deep": {"Resources": {"Q": {"Type": "AWS::SNS::Topic"}}}}
        after = link(changed, self.locate)
        assert self.address(before.root, "One") != self.address(after.root, "One")
        assert self.address(before.root, "Two") == self.address(after.root, "Two")

    def test_shares_the_body_of_equal_children_and_touches_nothing_that_it_was_given(self) -> None:
        tree = {"": self.TREE[""], "One": self.TREE["Two"], "Two": self.TREE["Two"]}
        assert len(link(tree, self.locate).bodies) == 1
        assert "./c.yaml" in json.dumps(self.TREE[""])

    def test_a_change_deep_down_concerns_all_stacks_above_it(self) -> None:
        assert with_parents(["One/Deep"]) == {"One/Deep", "One", ""}
        assert with_parents([]) == frozenset()


def test_functions_and_changes_of_a_child_are_named_by_it() -> None:
    alarms = ({"Ref": "Broken"}, "by-name")
    function = RolledFunction(
        logical_id="Worker",
        alias_logical_id="WorkerAliaslive",
        alias_name="live",
        anchor_logical_id="WorkerTidegateAnchor",
        function_name={"Ref": "Worker"},
        layers=("Shared",),
        preference=DeploymentPreference(alarms=alarms),
    )
    named = (function, function.within("Orders"), function.within("Bills"))
    assert function.within("") is function
    limits = [limit.logical_id or limit.name for limit in read_preferences(named[1:]).limits]
    assert sorted(limits) == ["Bills/Broken", "Orders/Broken", "by-name"]
    change = ChangedResource(action="Modify", logical_id="Orders/Shared", type="AWS::Lambda::LayerVersion")
    assert [one.logical_id for one in changed_functions([change], named)] == ["Orders/Worker"]
    assert change.in_stack().logical_id == "Shared"


def test_a_role_of_the_parent_serves_the_functions_of_a_child() -> None:
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}}
    root = {"Resources": {"Role": role, "Other": role}}
    policy = {
        "Type": "AWS::IAM::RolePolicy",
        "Properties": {"PolicyName": "p", "RoleName": {"Ref": "Name"}, "PolicyDocument": {"Statement": []}},
    }
    worker = {"Type": "AWS::Lambda::Function", "Properties": {"Role": {"Ref": "Arn"}}}
    child = {
        "Parameters": {"Arn": {"Type": "String"}, "Name": {"Type": "String"}},
        "Resources": {"Worker": worker, "Policy": policy, "Other": role},
    }
    standing = {"Role": "shop-role", "Other": "shop-other"}
    given = {"Arn": "arn:aws:iam::123456789012:role/shop-role", "Name": "shop-role"}
    sides = {
        "": Side(root, Values(root, {}, standing, AROUND)),
        "Orders": Side(child, Values(child, given, {}, AROUND, path="Orders")),
    }
    assert roles_of_functions(sides, ["Orders/Worker"]) == {"Role": ("Orders/Worker",)}
    found = read_roles(sides)
    assert set(found) == {"Role", "Other", "Orders/Other"}
    assert set(found["Role"].inline) == {"p"}


def test_what_is_not_known_of_two_stacks_is_not_the_same() -> None:
    data = {"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}}
    one, two = (Values(data, {}, {}, AROUND, path=path) for path in ("One", "Two"))
    again = Values(data, {}, {}, AROUND, path="One")
    assert one.resolve({"Ref": "Q"}) == again.resolve({"Ref": "Q"}) != two.resolve({"Ref": "Q"})


def test_an_output_of_a_child_is_what_the_child_tells() -> None:
    data = {"Resources": {"Orders": nested()}}
    told = Values(data, {}, {"Orders": "arn:x"}, AROUND, outputs=lambda child, name: f"{child}.{name}")
    assert told.resolve({"Fn::GetAtt": ["Orders", "Outputs.Url"]}) == "Orders.Url"
    silent = Values(data, {}, {"Orders": "arn:x"}, AROUND)
    assert not silent.is_known(silent.resolve({"Fn::GetAtt": ["Orders", "Outputs.Url"]}))


def test_a_child_that_keeps_a_resource_keeps_what_it_was_given_for_it() -> None:
    held = {"Resources": {"Q": {}}, "Parameters": {"Delay": {"Type": "Number"}}}
    removals = Removals(template=held, held=("Q",), parameters=("Delay",))
    settled = settle_parameters(removals, {"Delay": "5"})
    assert settled.template is not None
    assert (settled.template["Parameters"]["Delay"]["Default"], settled.parameters) == ("5", ())
    (told,) = settle_parameters(removals, {}).at_once
    assert re.match("Q: it is not kept, since the value of Delay is not readable", told)
