"""Events for functions that nobody here knows: declared smoke events first, else one of the trigger's kind.

Event shapes: AWS Lambda Developer Guide, one page for each event source.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tidegate.domain.nesting import qualify

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidegate.adapters.projects import Project

ARN: Final = "arn:aws:{}:us-east-1:123456789012:sample"


def find_events(project: Project) -> dict[str, list[Any]]:
    """Events by the name of each function."""
    declared: dict[str, list[Any]] = {}
    for functions in project.config.smoke.values():
        for function, files in functions.items():
            declared.setdefault(function, []).extend(
                json.loads(project.checkout.read_text(file)) for file in files
            )
    found: dict[str, list[Any]] = {}
    for part in project.parts:
        for logical_id, resource in part.template.data["Resources"].items():
            if str(resource.get("Type", "")).endswith("::Function"):
                name = qualify(part.path, logical_id)
                found[name] = declared.get(name) or [trigger_event(resource.get("Properties") or {})]
    return found


def trigger_event(properties: Mapping[str, Any]) -> Any:  # noqa: ANN401 (any JSON)
    """An event of the kind that the function's first trigger sends; `{}` where it has none that is known."""
    events = properties.get("Events")
    for event in events.values() if isinstance(events, dict) else ():
        make = KINDS.get(str(event.get("Type", ""))) if isinstance(event, dict) else None
        if make is not None:
            return make(event.get("Properties") or {})
    return {}


def _http(properties: Mapping[str, Any]) -> dict[str, Any]:
    path, method = str(properties.get("Path", "/")), str(properties.get("Method", "GET")).upper()
    return {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json", "host": "example.com"},
        "requestContext": {
            "http": {"method": method, "path": path, "sourceIp": "192.0.2.1"},
            "stage": "$default",
        },
        "body": "{}",
        "isBase64Encoded": False,
    }


def _rest(properties: Mapping[str, Any]) -> dict[str, Any]:
    path, method = str(properties.get("Path", "/")), str(properties.get("Method", "GET")).upper()
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": {"Content-Type": "application/json", "Host": "example.com"},
        "queryStringParameters": None,
        "pathParameters": None,
        "requestContext": {"stage": "Prod", "identity": {"sourceIp": "192.0.2.1"}, "httpMethod": method},
        "body": "{}",
        "isBase64Encoded": False,
    }


def _queue(_: Mapping[str, Any]) -> dict[str, Any]:
    record = {"messageId": "1", "body": "{}", "attributes": {}, "messageAttributes": {}}
    return {"Records": [{**record, "eventSource": "aws:sqs", "eventSourceARN": ARN.format("sqs")}]}


def _topic(_: Mapping[str, Any]) -> dict[str, Any]:
    message = {"Type": "Notification", "MessageId": "1", "Message": "{}", "TopicArn": ARN.format("sns")}
    return {"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": message}]}


def _bucket(_: Mapping[str, Any]) -> dict[str, Any]:
    entity = {"bucket": {"name": "sample"}, "object": {"key": "sample.txt", "size": 1, "eTag": "0"}}
    return {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": entity}]}


def _rule(properties: Mapping[str, Any]) -> dict[str, Any]:
    pattern = properties.get("Pattern")
    known = pattern if isinstance(pattern, dict) else {}
    source = _first(known.get("source"), "aws.events")
    kind = _first(known.get("detail-type"), "Scheduled Event")
    return {"id": "1", "source": source, "detail-type": kind, "detail": {}, "resources": []}


def _first(values: object, default: str) -> str:
    """The first of a pattern's values, where it is text as it stands."""
    first = values[0] if isinstance(values, list) and values else None
    return first if isinstance(first, str) else default


def _table(_: Mapping[str, Any]) -> dict[str, Any]:
    change = {"Keys": {"id": {"S": "1"}}, "NewImage": {"id": {"S": "1"}}, "SequenceNumber": "1"}
    record = {"eventID": "1", "eventName": "INSERT", "eventSource": "aws:dynamodb", "dynamodb": change}
    return {"Records": [{**record, "eventSourceARN": ARN.format("dynamodb")}]}


def _stream(_: Mapping[str, Any]) -> dict[str, Any]:
    data = {"data": "e30=", "partitionKey": "1", "sequenceNumber": "1", "approximateArrivalTimestamp": 0.0}
    record = {"eventID": "1", "eventName": "aws:kinesis:record", "eventSource": "aws:kinesis"}
    return {"Records": [{**record, "kinesis": data, "eventSourceARN": ARN.format("kinesis")}]}


KINDS: Final = {
    "HttpApi": _http,
    "Api": _rest,
    "SQS": _queue,
    "SNS": _topic,
    "S3": _bucket,
    "DynamoDB": _table,
    "Kinesis": _stream,
    "EventBridgeRule": _rule,
    "CloudWatchEvent": _rule,
    "Schedule": _rule,
    "ScheduleV2": _rule,
}
