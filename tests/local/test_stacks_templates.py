"""Templates, parameters and intrinsic functions by value, without a cloud."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.local.stack_errors import ValidationError
from tidegate.local.stack_intrinsics import Cause, Scope, Unknown, resolve
from tidegate.local.stack_parameters import Parameter, settle_given, settle_parameters
from tidegate.local.stack_requests import parse_template_url
from tidegate.local.stack_templates import parse_template

QUEUE = {"Type": "AWS::SQS::Queue"}
NAMES = st.text("abcdefgh", min_size=1, max_size=6)


def scope(conditions=None, mappings=None, **values):
    def unknown(name, attribute=""):
        return Unknown(frozenset({Cause("ResourceAttribute", f"{name}.{attribute}")}))

    return Scope(
        values={"AWS::Region": "eu-west-1", **values},
        mappings=mappings or {},
        condition_nodes=conditions or {},
        reference=unknown,
        attribute=unknown,
        imported=lambda name: f"imported-{name}",
        region="eu-west-1",
    )


def template(**sections):
    return parse_template(json.dumps({"Resources": {"Jobs": QUEUE}, **sections}))


def test_short_forms_and_dates_are_read_as_cloudformation_reads_them():
    found = parse_template(
        "AWSTemplateFormatVersion: 2010-09-09\n"
        "Conditions: {Big: !Equals [!Ref AWS::Region, a]}\n"
        "Resources:\n"
        "  Jobs: {Type: AWS::SQS::Queue}\n"
        "  Where:\n"
        "    Type: AWS::SSM::Parameter\n"
        "    Condition: Big\n"
        "    Properties:\n"
        "      Value: !Join ['', [!GetAtt Jobs.Arn, !Sub '${Jobs}', !If [Big, a, !Ref AWS::NoValue]]]\n"
    )
    assert found.body["AWSTemplateFormatVersion"] == "2010-09-09"
    joined = found.resources["Where"]["Properties"]["Value"]["Fn::Join"][1]
    assert joined[0] == {"Fn::GetAtt": ["Jobs", "Arn"]}
    assert joined[2]["Fn::If"][2] == {"Ref": "AWS::NoValue"}
    assert found.dependencies == {"Jobs": (), "Where": ("Jobs",)}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "At least one Resources member must be defined"),
        ({"Resources": {"A": {}}}, "must contain a Type member"),
        ({"Resources": {"A-b": QUEUE}}, "non alphanumeric"),
        (
            {"Resources": {"A": {**QUEUE, "Properties": {"QueueName": {"Ref": "B"}}}}},
            r"Unresolved resource dependencies \[B\]",
        ),
        ({"Resources": {"A": QUEUE}, "Outputs": {"O": {"Value": {"Ref": "B"}}}}, "Outputs block"),
        (
            {"Resources": {"A": {**QUEUE, "DependsOn": "B"}, "B": {**QUEUE, "DependsOn": ["A"]}}},
            r"Circular dependency between resources: \[A, B\]",
        ),
        ({"Resources": {"A": {**QUEUE, "DeletionPolicy": "Snapshot"}}}, "Snapshot of .* is not available"),
        ({"Resources": {"A": QUEUE}, "Transform": "AWS::Serverless-2016-10-31"}, "is not available"),
        ({"Resources": {f"A{n}": QUEUE for n in range(501)}}, "greater than maximum allowed, 500"),
    ],
)
def test_what_cannot_be_a_template_is_refused(body, message):
    with pytest.raises(ValidationError, match=message):
        parse_template(json.dumps(body))


@given(st.dictionaries(NAMES, st.lists(NAMES, max_size=3), min_size=1, max_size=8))
def test_order_puts_every_resource_after_what_it_depends_on(graph):
    names = sorted(graph)
    resources = {
        name: {**QUEUE, "DependsOn": [other for other in names[:index] if other in graph[name]]}
        for index, name in enumerate(names)
    }
    found = parse_template(json.dumps({"Resources": resources}))
    order = found.order(reversed(names))
    assert sorted(order) == names
    for name, others in found.dependencies.items():
        assert all(order.index(other) < order.index(name) for other in others)


@given(st.lists(NAMES, min_size=1, max_size=5))
def test_split_undoes_join(words):
    joined = {"Fn::Join": ["|", words]}
    assert resolve({"Fn::Split": ["|", joined]}, scope()) == words


@pytest.mark.parametrize(
    ("node", "value"),
    [
        ({"Fn::Sub": "${AWS::Region}-${!literal}-${Name}"}, "eu-west-1-${literal}-n"),
        ({"Fn::Sub": ["${A}${Name}", {"A": {"Ref": "Name"}}]}, "nn"),
        ({"Fn::Select": ["1", {"Fn::GetAZs": ""}]}, "eu-west-1b"),
        ({"Fn::FindInMap": ["M", {"Ref": "Name"}, "k"]}, 7),
        ({"Fn::If": ["Yes", "a", "b"]}, "a"),
        ({"Fn::If": ["No", "a", "b"]}, "b"),
        ({"Fn::ImportValue": {"Fn::Sub": "${Name}-x"}}, "imported-n-x"),
        ({"Fn::Base64": "a"}, "YQ=="),
        ({"Fn::Cidr": ["10.0.0.0/16", 2, "8"]}, ["10.0.0.0/24", "10.0.1.0/24"]),
        ({"Fn::ToJsonString": {"a": {"Ref": "Name"}}}, '{"a":"n"}'),
        ({"Fn::Length": ["a", "b"]}, 2),
        ({"Fn::Join": ["", ["a", True, 1]]}, "atrue1"),
        ({"a": {"Ref": "AWS::NoValue"}, "b": [1, {"Ref": "AWS::NoValue"}]}, {"b": [1]}),
    ],
)
def test_functions_give_their_values(node, value):
    conditions = {
        "Yes": {"Fn::And": [{"Fn::Equals": [{"Ref": "Name"}, "n"]}, {"Fn::Not": [{"Condition": "No"}]}]},
        "No": {"Fn::Or": [{"Fn::Equals": ["a", "b"]}]},
    }
    assert resolve(node, scope(conditions, {"M": {"n": {"k": 7}}}, Name="n")) == value


def test_what_waits_for_a_resource_tells_for_which():
    found = resolve({"Fn::Sub": "x-${Jobs.Arn}"}, scope())
    assert found == Unknown(frozenset({Cause("ResourceAttribute", "Jobs.Arn")}))


def test_an_unknown_function_is_named():
    with pytest.raises(ValidationError, match="Fn::Nonsense is not available in the local cloud"):
        resolve({"Fn::Nonsense": []}, scope())


@pytest.mark.parametrize(
    ("rule", "given_value", "message"),
    [
        ({"Type": "Number"}, "x", "must be a number"),
        ({"Type": "Number", "MaxValue": 3}, "4", "not greater than 3"),
        ({"AllowedValues": ["a"]}, "b", "must be one of AllowedValues"),
        ({"AllowedPattern": "[a-z]+"}, "B", r"must match pattern \[a-z\]\+"),
        ({"AllowedPattern": r"\p{L}"}, "B", "is not available in the local cloud"),
        ({"MinLength": 2}, "b", "at least 2 characters"),
    ],
)
def test_parameters_are_checked(rule, given_value, message):
    declared = template(Parameters={"P": {"Type": "String", **rule}})
    with pytest.raises(ValidationError, match=message):
        settle_parameters(declared, {"P": given_value}, str)


def test_parameters_take_defaults_lists_and_fetched_values():
    declared = template(
        Parameters={
            "Words": {"Type": "CommaDelimitedList", "Default": "a, b"},
            "Flag": {"Type": "String", "Default": True},
            "Image": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/image"},
            "Secret": {"Type": "String", "NoEcho": True},
        }
    )
    found = settle_parameters(declared, {"Secret": "s"}, lambda name: f"<{name}>")
    assert {key: parameter.value for key, parameter in found.items()} == {
        "Words": ["a", "b"],
        "Flag": "true",
        "Image": "</image>",
        "Secret": "s",
    }
    assert found["Secret"].describe()["ParameterValue"] == "****"
    assert found["Image"].describe() == {
        "ParameterKey": "Image",
        "ParameterValue": "/image",
        "ResolvedValue": "</image>",
    }


def test_parameters_that_are_missing_or_unknown_are_named():
    declared = template(Parameters={"P": {"Type": "String"}})
    with pytest.raises(ValidationError, match=r"Parameters: \[P\] must have values"):
        settle_parameters(declared, {}, str)
    with pytest.raises(ValidationError, match=r"Parameters: \[Q\] do not exist in the template"):
        settle_parameters(declared, {"P": "a", "Q": "b"}, str)
    with pytest.raises(ValidationError, match="usePreviousValue"):
        settle_given([{"ParameterKey": "P", "UsePreviousValue": True}], {})
    previous = {"P": Parameter("P", "old", "old")}
    assert settle_given([{"ParameterKey": "P", "UsePreviousValue": True}], previous) == {"P": "old"}


@pytest.mark.parametrize(
    "url",
    [
        "https://store.s3.amazonaws.com/a/t.json",
        "https://store.s3.eu-west-1.amazonaws.com/a/t.json",
        "https://s3.amazonaws.com/store/a/t.json",
        "https://s3.eu-west-1.amazonaws.com/store/a/t.json",
        "http://127.0.0.1:5000/store/a/t.json",
    ],
)
def test_every_form_of_template_url_is_understood(url):
    assert parse_template_url(url) == ("store", "a/t.json")
