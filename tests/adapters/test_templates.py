"""Text into data with lines, and SAM into CloudFormation without any call to AWS."""

from __future__ import annotations

import json
import socket
import time

import pytest

from tidegate.adapters.templates import MAX_TEXT_BYTES, parse
from tidegate.adapters.translation import translate
from tidegate.domain.errors import InvalidTemplate, UnsupportedTemplate
from tidegate.domain.templates import normalize, prepare, read_functions

FUNCTION = """
  F:
    Type: AWS::Serverless::Function
    Properties: {InlineCode: x, Handler: a.b, Runtime: python3.12}
"""
SERVERLESS = f"Transform: AWS::Serverless-2016-10-31\nResources:{FUNCTION}"


def data(text):
    return parse(f"Resources: {{T: {{Type: AWS::SNS::Topic, Properties: {text}}}}}", "t.yaml").resources["T"][
        "Properties"
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{A: !Ref X}", {"Ref": "X"}),
        ("{A: !GetAtt X.Arn}", {"Fn::GetAtt": ["X", "Arn"]}),
        ("{A: !GetAtt X.Outputs.Y}", {"Fn::GetAtt": ["X", "Outputs.Y"]}),
        ("{A: !GetAtt [X, Arn]}", {"Fn::GetAtt": ["X", "Arn"]}),
        ("{A: {'Fn::GetAtt': X.Arn}}", {"Fn::GetAtt": ["X", "Arn"]}),
        ("{A: !Sub 'a ${B}'}", {"Fn::Sub": "a ${B}"}),
        (
            "{A: !If [C, !Ref X, !Ref 'AWS::NoValue']}",
            {"Fn::If": ["C", {"Ref": "X"}, {"Ref": "AWS::NoValue"}]},
        ),
        ("{A: !Condition C}", {"Condition": "C"}),
        ("{A: 2012-10-17}", "2012-10-17"),
        ("{A: 2024-01-01T10:00:00Z}", "2024-01-01T10:00:00Z"),
        ("{A: 7}", 7),
        ("{A: 7.5}", 7.5),
        ("{A: true}", True),
        ("{A: '7'}", "7"),
        ("{A: ~}", None),
    ],
)
def test_values_become_plain_data(text, value):
    assert data(text)["A"] == value


def test_keys_are_text_as_they_are_written():
    assert set(data("{012345678901: a, on: b, 1: c}")) == {"012345678901", "on", "1"}


def test_merges_and_aliases_are_copied_out():
    users = "  T: {Type: X, Properties: {<<: *s, B: 2}}\n  U: {Type: X, Properties: *s}\n"
    text = f"Shared: &s {{A: [1]}}\nResources:\n{users}"
    resources = parse(text, "t.yaml").resources
    assert resources["T"]["Properties"] == {"A": [1], "B": 2}
    assert resources["T"]["Properties"]["A"] is not resources["U"]["Properties"]["A"]


def test_lines_of_resources_are_kept_for_yaml_and_json():
    assert parse(SERVERLESS, "t.yaml").lines == {"F": 3}
    text = json.dumps({"Resources": {"A": {"Type": "X"}, "B": {"Type": "X"}}}, indent=1)
    template = parse(text, "t.json")
    assert template.lines == {"A": 3, "B": 6}


def test_of_a_key_that_stands_twice_the_last_one_counts_and_it_is_told():
    template = parse("Resources:\n  T:\n    Type: X\n    Type: Y\n", "t.yaml")
    assert template.resources["T"]["Type"] == "Y"
    assert template.doubles == ("line 4: the key Type stands twice",)
    assert parse('{"Resources": {"T": {"Type": "X", "Type": "Y"}}}', "t").doubles == (
        "the key Type stands twice",
    )


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(8)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "t.yaml: the template is empty"),
        ("- a", "must be a mapping"),
        ("A: 1", "needs a Resources section"),
        ("Resources: {}", "needs a Resources section"),
        ("Resources:\n  A: 1\n", "t.yaml:2: resource A must be a mapping"),
        ("Resources:\n  A: {}\n", "t.yaml:2: resource A needs a Type"),
        ("Resources:\n  A: {Type: X, Properties: [1]}\n", "t.yaml:2: Properties of A must be a mapping"),
        ("Resources:\n  A: {Type: X, DependsOn: 7}\n", "t.yaml:2: DependsOn of A must be names of resources"),
        ("Resources:\n  A: {Type: X, Metadata: {BuildMethod: 7}}\n", "t.yaml:2: Metadata BuildMethod of A"),
        ("Resources:\n  A: {Type: X, Properties: {B: !Ref [a]}}\n", "t.yaml:2: Ref in A is malformed"),
        (
            "Resources:\n  A: {Type: X, Properties: {B: !GetAtt C}}\n",
            "t.yaml:2: Fn::GetAtt in A is malformed",
        ),
        ("Resources:\n  A: {Type: X}\nOutputs: {B: {Value: !Sub [a]}}\n", "Fn::Sub in Outputs is malformed"),
        ("Parameters: 7\nResources:\n  A: {Type: X}\n", "the section Parameters must be a mapping"),
        ("Resources:\n  A: {Type: X\n", "t.yaml:3: "),
        ("Resources:\n  A: {Type: !Nope x}\n", "t.yaml:2: the tag !Nope is not an intrinsic function"),
        ("Resources:\n  A: {? [x] : y}\n", "t.yaml:2: a key must be text"),
        ("Resources:\n  A: *nowhere\n", "t.yaml:2: "),
        ("Resources: &r\n  A: *r\n", "nested too deeply"),
        ("Resources:\n  A: \x00\n", "control characters are not allowed"),
        ("{" * 5 + '"a": 1', "t.yaml:1: "),
        ("Resources: " + "[" * 5000, "t.yaml"),
        (BOMB + "Resources: *i\n", "too large or nested too deeply"),
        ("x" * (MAX_TEXT_BYTES + 1), "larger than"),
    ],
)
def test_bad_text_is_an_invalid_template_with_its_line(text, message):
    with pytest.raises(InvalidTemplate, match=message):
        parse(text, "t.yaml")


def test_translation_calls_nobody(monkeypatch):
    def refuse(*_args):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    template = parse(SERVERLESS.replace("x, H", "x, Policies: [AmazonS3ReadOnlyAccess], H"), "t.yaml")
    resources = translate(template, {}, "cn-north-1")["Resources"]
    assert (
        "arn:aws-cn:iam::aws:policy/AmazonS3ReadOnlyAccess"
        in resources["FRole"]["Properties"]["ManagedPolicyArns"]
    )
    assert translate(template, {}, "us-east-1") != {"Resources": resources}


def test_translation_leaves_its_input_alone():
    template = parse(SERVERLESS, "t.yaml")
    before = json.dumps(template.data)
    first = translate(template, {}, "us-east-1")
    assert json.dumps(template.data) == before
    assert translate(template, {}, "us-east-1") == first


def test_a_plain_template_comes_back_as_it_is():
    template = parse("Resources: {T: {Type: AWS::SNS::Topic}}", "t.yaml")
    assert translate(template, {}, "us-east-1") == template.data


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SERVERLESS.replace("InlineCode: x, ", ""), r"t.yaml:3: Resource with id \[F\] is invalid"),
        (SERVERLESS.replace("Runtime: python3.12", "Events: 7"), "t.yaml:3: "),
        (
            f"Resources:{FUNCTION}",
            "t.yaml:2: F is a AWS::Serverless::Function, but the template has no 'Transform",
        ),
        (SERVERLESS + "Globals: 7\n", "Globals"),
        (SERVERLESS + "Globals: {Function: {Nope: 1}}\n", "Nope"),
    ],
)
def test_what_cannot_be_translated_names_resource_and_line(text, message):
    with pytest.raises(InvalidTemplate, match=message):
        translate(parse(text, "t.yaml"), {}, "us-east-1")


def test_an_application_of_the_repository_is_refused_before_the_translator_asks_aws():
    text = "Transform: AWS::Serverless-2016-10-31\nResources:\n  A: {Type: AWS::Serverless::Application}\n"
    with pytest.raises(UnsupportedTemplate, match=r"t.yaml:3: A is an application of the repository"):
        translate(parse(text, "t.yaml"), {}, "us-east-1")


def seconds(count, monkeypatch):
    monkeypatch.setattr("tidegate.domain.templates.limits.MAX_RESOURCES", 10**6)
    monkeypatch.setattr("tidegate.domain.templates.limits.MAX_BYTES", 10**9)
    template = parse(SERVERLESS + "".join(FUNCTION.replace("F:", f"F{n}:") for n in range(count)), "t.yaml")
    started = time.perf_counter()
    read_functions(template)
    prepared = prepare(template)
    normalize(translate(prepared.template, {}, "us-east-1"), prepared)
    return time.perf_counter() - started


@pytest.mark.slow
def test_time_is_linear_in_the_number_of_functions(monkeypatch):
    seconds(20, monkeypatch)
    small, large = seconds(100, monkeypatch), seconds(1000, monkeypatch)
    assert large < 25 * small
