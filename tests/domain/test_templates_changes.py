"""A change set read for the plan."""

from __future__ import annotations

import pytest

from tidegate.domain.templates import (
    ChangedResource,
    NoticeKind,
    RolledFunction,
    changed_functions,
    diff_notices,
    unqualify_definition,
)

F = RolledFunction(
    logical_id="F",
    alias_logical_id="FAliaslive",
    alias_name="live",
    anchor_logical_id="FTidegateAnchor",
    function_name={"Ref": "F"},
    layers=("Layer",),
)
LAMBDA = "AWS::Lambda::Function"


def change(action="Modify", logical_id="F", kind=LAMBDA, **more):
    return ChangedResource(action=action, logical_id=logical_id, type=kind, **more)


@pytest.mark.parametrize(
    ("item", "changed"),
    [
        (change(properties=("Code",)), True),
        (change(properties=("Environment", "Tags")), True),
        (change(properties=()), True),
        (change(properties=("Tags", "ReservedConcurrentExecutions")), False),
        (change("Add"), False),
        (change("Remove"), False),
        (change(replacement=True, properties=("FunctionName",)), False),
        (change(logical_id="Layer", kind="AWS::Lambda::LayerVersion"), True),
        (change(logical_id="Other", properties=("Code",)), False),
    ],
)
def test_a_function_changes_with_its_code_configuration_or_layer(item, changed):
    assert changed_functions([item], (F,)) == ((F,) if changed else ())


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (change("Add"), "the new function F takes its traffic at once"),
        (change(replacement=True), "the function F is replaced and takes its traffic at once"),
        (change(properties=("Code", "Role")), "Role of F change for both versions at once"),
        (change(logical_id="G", properties=("Code",)), "the function G is not rolled out"),
        (change("Remove"), "the function F is removed"),
        (change(logical_id="M", kind="AWS::Lambda::EventSourceMapping"), "the event source M"),
        (
            change(logical_id="Q", kind="AWS::SQS::Queue", properties=("RedrivePolicy",)),
            "(RedrivePolicy) at once",
        ),
        (change(logical_id="R", kind="AWS::IAM::Role"), "the role or policy R"),
        (change("Add", "T", "AWS::DynamoDB::Table"), "the table T (AWS::DynamoDB::Table) is created at once"),
        (change("Remove", "T", "AWS::DynamoDB::Table"), "T (AWS::DynamoDB::Table) is removed"),
        (
            change(logical_id="FAliaslive", kind="AWS::Lambda::Alias", replacement=True),
            "its traffic moves at once",
        ),
        (change(logical_id="X", kind="AWS::Batch::Queue", replacement=True), "the resource X"),
    ],
)
def test_what_takes_effect_at_once_is_said(item, text):
    (notice,) = diff_notices([item], (F,))
    assert notice.kind == NoticeKind.AT_ONCE
    assert text in notice.text


@pytest.mark.parametrize(
    "item",
    [
        change(properties=("Code",)),
        change("Add", "FTidegateAnchor", "AWS::Lambda::Version"),
        change("Remove", "Old", "AWS::Lambda::LayerVersion"),
        change(logical_id="X", kind="AWS::Batch::Queue"),
    ],
)
def test_what_the_canary_holds_is_not(item):
    assert diff_notices([item], (F,)) == ()


def test_a_definition_loses_latest_behind_substitutions_only():
    text = '{"A": "${Fn}:$LATEST", "B": "${Fn.Arn}", "C": "arn:aws:lambda:x:1:function:y:$LATEST"}'
    assert (
        unqualify_definition(text)
        == '{"A": "${Fn}", "B": "${Fn.Arn}", "C": "arn:aws:lambda:x:1:function:y:$LATEST"}'
    )
