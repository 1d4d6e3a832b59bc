"""What stands around the functions of a template, and the gauges that are made of it."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate.domain.gauges import Guard, Reading
from tidegate.domain.neighbours import Kind, Neighbour, Surroundings, make_gauges
from tidegate.domain.rollouts import RollingFunction
from tidegate.domain.templates.surroundings import find_surroundings
from tidegate.domain.templates.values import Values

PLACE = ("111122223333", "eu-west-1")
AROUND = {
    "AWS::AccountId": PLACE[0],
    "AWS::Region": PLACE[1],
    "AWS::Partition": "aws",
    "AWS::StackName": "shop-prod",
}
ALIAS = {"Ref": "ShipTidegateAlias"}
STANDING = {
    "Ship": "shop-ship",
    "ShipTidegateAlias": f"arn:aws:lambda:{PLACE[1]}:{PLACE[0]}:function:shop-ship:live",
    "Orders": f"https://sqs.{PLACE[1]}.amazonaws.com/{PLACE[0]}/shop-orders",
    "Lost": f"https://sqs.{PLACE[1]}.amazonaws.com/{PLACE[0]}/shop-lost",
    "Table": "shop-table",
    "Api": "a1b2c3",
    "Http": "d4e5f6",
}
LOST = {"Fn::GetAtt": ["Lost", "Arn"]}


def around(resources: dict[str, Any], parameters: dict[str, str] | None = None, **top: Any) -> Surroundings:
    base = {
        "Ship": {"Type": "AWS::Lambda::Function", "Properties": {}},
        "ShipTidegateAlias": {"Type": "AWS::Lambda::Alias", "Properties": {}},
        "Orders": {"Type": "AWS::SQS::Queue"},
        "Lost": {"Type": "AWS::SQS::Queue"},
        "Table": {"Type": "AWS::DynamoDB::Table"},
    }
    template = {"Resources": {**base, **resources}, **top}
    values = Values(template, parameters or {}, STANDING, AROUND)
    return find_surroundings(template, values, {"shop-ship": "Ship"}, STANDING, PLACE)


def found(resources: dict[str, Any]) -> list[tuple[Kind, str, str]]:
    shown = around(resources)
    assert not shown.unread
    assert all(one.function == "Ship" for one in shown.neighbours)
    return [(one.kind, one.name, one.part) for one in shown.neighbours]


def mapping(source: Any, **properties: Any) -> dict[str, Any]:
    values = {"FunctionName": ALIAS, "EventSourceArn": source, **properties}
    return {"Source": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": values}}


def permission(source: Any, function: Any = ALIAS) -> dict[str, Any]:
    values = {"FunctionName": function, "Principal": "apigateway.amazonaws.com", "SourceArn": source}
    return {"May": {"Type": "AWS::Lambda::Permission", "Properties": values}}


def test_a_queue_that_is_read_and_the_one_that_its_dead_letters_go_to() -> None:
    policy = {"deadLetterTargetArn": LOST, "maxReceiveCount": 3}
    orders = {"Orders": {"Type": "AWS::SQS::Queue", "Properties": {"RedrivePolicy": policy}}}
    assert found({**orders, **mapping({"Fn::GetAtt": ["Orders", "Arn"]})}) == [
        (Kind.QUEUE, "shop-orders", ""),
        (Kind.DEAD_LETTERS, "shop-lost", ""),
    ]


@pytest.mark.parametrize(
    "source", [{"Fn::GetAtt": ["Table", "StreamArn"]}, "arn:aws:kinesis:eu-west-1:111122223333:stream/s"]
)
def test_a_stream_and_what_is_given_up_of_it(source: Any) -> None:
    failed = {"DestinationConfig": {"OnFailure": {"Destination": LOST}}}
    assert found(mapping(source, **failed)) == [
        (Kind.STREAM, "", ""),
        (Kind.DESTINATION, "", ""),
        (Kind.DEAD_LETTERS, "shop-lost", ""),
    ]


def test_dead_letters_and_destinations_of_asynchronous_events() -> None:
    config = {"FunctionName": {"Ref": "Ship"}, "Qualifier": "live"}
    config["DestinationConfig"] = {"OnFailure": {"Destination": "arn:aws:sns:eu-west-1:111122223333:lost"}}  # type: ignore[assignment]
    dead = {"Type": "AWS::Lambda::Function", "Properties": {"DeadLetterConfig": {"TargetArn": LOST}}}
    assert found({"Ship": dead, "C": {"Type": "AWS::Lambda::EventInvokeConfig", "Properties": config}}) == [
        (Kind.DEAD_LETTER_TARGET, "", ""),
        (Kind.DEAD_LETTERS, "shop-lost", ""),
        (Kind.DESTINATION, "", ""),
    ]


def test_the_apis_that_may_call_a_function_by_the_names_of_their_metrics() -> None:
    source = {
        "Fn::Sub": [
            "arn:${AWS::Partition}:execute-api:x:y:${__ApiId__}/*/GET/",
            {"__ApiId__": {"Ref": "Api"}},
        ]
    }
    title = {"info": {"title": {"Fn::Sub": "${AWS::StackName} für alle"}}}
    rest = {
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Body": title}},
        "Prod": {
            "Type": "AWS::ApiGateway::Stage",
            "Properties": {"RestApiId": {"Ref": "Api"}, "StageName": "Prod"},
        },
        "Deployment": {"Type": "AWS::ApiGateway::Deployment", "Properties": {"RestApiId": {"Ref": "Api"}}},
    }
    assert found({**rest, **permission(source)}) == [(Kind.REST_API, "shop-prod fr alle", "Prod")]
    http = {
        "Http": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"ProtocolType": "HTTP"}},
        "Default": {
            "Type": "AWS::ApiGatewayV2::Stage",
            "Properties": {"ApiId": {"Ref": "Http"}, "StageName": "$default"},
        },
    }
    source = {"Fn::Sub": "arn:aws:execute-api:x:y:${Http}/*"}
    bare = permission(source, "shop-ship")
    assert found({**http, **bare}) == [(Kind.HTTP_API, "d4e5f6", "$default")]


def test_an_api_that_a_permission_leaves_open_is_the_one_that_names_the_function() -> None:
    uri = {
        "Fn::Sub": "arn:aws:apigateway:x:lambda:path/2015-03-31/functions/${ShipTidegateAlias}/invocations"
    }
    resources = {
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "shop"}},
        "Method": {
            "Type": "AWS::ApiGateway::Method",
            "Properties": {"RestApiId": {"Ref": "Api"}, "Integration": {"Uri": uri}},
        },
        "Deployment": {
            "Type": "AWS::ApiGateway::Deployment",
            "Properties": {"RestApiId": {"Ref": "Api"}, "StageName": "v1"},
        },
    }
    assert found({**resources, **permission(None)}) == [(Kind.REST_API, "shop", "v1")]


@pytest.mark.parametrize(
    ("resources", "sentence"),
    [
        (mapping({"Fn::ImportValue": "queue"}), "it reads a source that is not known from the template"),
        (mapping("arn:aws:kafka:eu-west-1:1:cluster/c"), "it reads kafka, whose backlog is not observed"),
        (mapping("arn:aws:sqs:eu-west-1:999:far"), "queue far is in 999, eu-west-1"),
        (mapping(None, SelfManagedEventSource={"Endpoints": {}}), "it reads a self-managed source"),
        (permission("arn:aws:execute-api:x:y:other/*"), "an API that is not of this template may call it"),
    ],
)
def test_what_is_not_known_is_named(resources: dict[str, Any], sentence: str) -> None:
    shown = around(resources)
    assert not shown.neighbours
    assert sentence in shown.unread[0]


def test_what_another_function_has_and_what_is_switched_off_is_left_out() -> None:
    off = mapping({"Fn::GetAtt": ["Orders", "Arn"]})
    off["Source"]["Condition"] = "Never"
    shown = around(off, Conditions={"Never": {"Fn::Equals": ["a", "b"]}})
    assert shown == Surroundings()
    other = mapping({"Fn::GetAtt": ["Orders", "Arn"]})
    other["Source"]["Properties"]["FunctionName"] = "somebody-else"
    assert around(other) == Surroundings()


def test_reserved_executions_are_read_with_the_parameters_of_the_stack() -> None:
    ship = {
        "Type": "AWS::Lambda::Function",
        "Properties": {"ReservedConcurrentExecutions": {"Ref": "Most"}},
    }
    kinds = {"Most": {"Type": "Number"}}
    assert around({"Ship": ship}, {"Most": "40"}, Parameters=kinds).reserved == {"Ship": 40}
    assert around({"Ship": ship}, Parameters=kinds).unread


def rolling(name: str) -> RollingFunction:
    return RollingFunction(
        logical_id=name, name=name.lower(), alias="live", stable="1", canary="2", log_group=f"/{name}"
    )


def test_what_functions_share_is_read_once() -> None:
    queues = [Neighbour(kind=Kind.QUEUE, function=name, name="q") for name in ("A", "B", "Elsewhere")]
    api = Neighbour(kind=Kind.REST_API, function="A", name="shop", part="Prod")
    stream = Neighbour(kind=Kind.STREAM, function="B")
    known = Surroundings(neighbours=(*queues, api, stream), reserved={"A": 50}, account=1000)
    gauges = make_gauges([rolling("A"), rolling("B")], known)
    assert [(one.guard, one.of, one.floor) for one in gauges] == [
        (Guard.THROTTLES, "A", 1),
        (Guard.DROPPED_EVENTS, "A", 1),
        (Guard.CONCURRENCY, "A", 45),
        (Guard.THROTTLES, "B", 1),
        (Guard.DROPPED_EVENTS, "B", 1),
        (Guard.QUEUE_DEPTH, "queue q (A, B)", 100),
        (Guard.QUEUE_AGE, "queue q (A, B)", 60),
        (Guard.API_ERRORS, "REST API shop, stage Prod (A)", 0.01),
        (Guard.ITERATOR_AGE, "stream of B", 60_000),
        (Guard.CONCURRENCY, "the account", 900),
    ]
    errors = next(one for one in gauges if one.guard is Guard.API_ERRORS)
    assert errors.reading is Reading.SHARE
    assert errors.metric.dimensions == (("ApiName", "shop"), ("Stage", "Prod"))
    assert [metric.name for metric in errors.metrics] == ["5XXError", "Count"]
    assert gauges[-1].metric.dimensions == ()


def test_the_account_is_not_asked_about_where_each_function_has_its_own() -> None:
    gauges = make_gauges([rolling("A")], Surroundings(reserved={"A": 5}, account=1000))
    assert [one.of for one in gauges if one.guard is Guard.CONCURRENCY] == ["A"]
