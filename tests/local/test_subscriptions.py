"""Log groups deliver to functions as CloudWatch Logs does."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.scene import eventually
from tidegate.local.subscriptions import Source, Subscriptions

if TYPE_CHECKING:
    from tests.scene import Scene
    from tidegate.local.compute.invoker import Call

# Keeps each delivery as an object; fails the first time that it is given a line that says so.
CODE = """
import boto3, json, os

def handler(event, context):
    name = context.aws_request_id
    body = json.dumps({"event": event, "pid": os.getpid()})
    boto3.client("s3").put_object(Bucket=context.function_name, Key=name, Body=body)
    return {number}
"""


def unpack(event: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    return document


class Reader:
    """A function that is subscribed to a log group of its own."""

    def __init__(self, scene: Scene, pattern: str = "") -> None:
        self.scene, self.logs = scene, scene.cloud.client("logs")
        self.function = scene.function("Reader", CODE, versions=1)
        self.arn = scene.lambdas.get_function(FunctionName=self.function.name)["Configuration"]["FunctionArn"]
        self.group = f"/read/{scene.unique}"
        scene.cloud.client("s3").create_bucket(Bucket=self.function.name)
        self.logs.create_log_group(logGroupName=self.group)
        self.subscribe("first", pattern)

    def subscribe(self, name: str, pattern: str = "") -> None:
        self.logs.put_subscription_filter(
            logGroupName=self.group, filterName=name, filterPattern=pattern, destinationArn=self.arn
        )

    def write(self, stream: str, *messages: str) -> None:
        with contextlib.suppress(self.logs.exceptions.ResourceAlreadyExistsException):
            self.logs.create_log_stream(logGroupName=self.group, logStreamName=stream)
        at = int(time.time() * 1000)
        self.logs.put_log_events(
            logGroupName=self.group,
            logStreamName=stream,
            logEvents=[{"timestamp": at, "message": message} for message in messages],
        )

    def received(self, kind: str = "DATA_MESSAGE") -> list[dict[str, Any]]:
        s3 = self.scene.cloud.client("s3")
        found = s3.list_objects_v2(Bucket=self.function.name).get("Contents", [])
        bodies = [
            json.loads(s3.get_object(Bucket=self.function.name, Key=one["Key"])["Body"].read())
            for one in found
        ]
        documents = [{**unpack(body["event"]), "pid": body["pid"]} for body in bodies]
        return [document for document in documents if document["messageType"] == kind]


def test_events_come_by_stream_with_their_ids_and_to_one_process(scene: Scene) -> None:
    reader = Reader(scene)
    eventually(lambda: reader.received("CONTROL_MESSAGE"))
    for number in range(5):
        reader.write("a", f"a{number}", "more")
        reader.write("b", f"b{number}")

    def read() -> list[dict[str, Any]]:
        every = reader.received()
        return every if sum(len(one["logEvents"]) for one in every) == 15 else []

    found = eventually(read)
    assert {one["logStream"] for one in found} == {"a", "b"}
    assert len(found) < 10
    assert len({one["pid"] for one in found}) == 1
    assert all(one["logGroup"] == reader.group and one["owner"] == "123456789012" for one in found)
    assert all(one["subscriptionFilters"] == ["first"] for one in found)
    ids = [event["id"] for one in found for event in one["logEvents"]]
    assert len(set(ids)) == 15
    assert all(isinstance(one, str) for one in ids)


def test_a_pattern_chooses_and_a_line_comes_soon(scene: Scene) -> None:
    reader = Reader(scene, pattern='{ $.level = "ERROR" }')
    eventually(lambda: reader.received("CONTROL_MESSAGE"))
    reader.write("a", "plain", '{"level": "INFO"}')
    begun = time.monotonic()
    reader.write("a", '{"level": "ERROR"}')
    (found,) = eventually(reader.received)
    assert [event["message"] for event in found["logEvents"]] == ['{"level": "ERROR"}']
    assert time.monotonic() - begun < 2


def test_two_fit_on_a_group_and_one_of_them_can_be_replaced(scene: Scene) -> None:
    reader = Reader(scene)
    reader.subscribe("second")
    reader.subscribe("second", "ERROR")
    with pytest.raises(ClientError, match="LimitExceeded"):
        reader.subscribe("third")
    listed = reader.logs.describe_subscription_filters(logGroupName=reader.group)["subscriptionFilters"]
    assert {one["filterName"]: one["filterPattern"] for one in listed} == {"first": "", "second": "ERROR"}
    for name in ("first", "second"):
        reader.logs.delete_subscription_filter(logGroupName=reader.group, filterName=name)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        reader.logs.delete_subscription_filter(logGroupName=reader.group, filterName="first")


class Function:
    """Fails as often as it is told to."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls: list[dict[str, Any]] = []

    def __call__(self, call: Call) -> bool:
        self.calls.append(unpack(json.loads(call.payload)))
        return len(self.calls) > self.failures


@pytest.mark.parametrize(("failures", "calls"), [(0, 1), (1, 2), (5, 3)])
def test_a_delivery_that_failed_comes_again_as_it_was(failures: int, calls: int) -> None:
    function = Function(failures)
    subscriptions = Subscriptions(function)
    arn = "arn:aws:lambda:us-east-1:123456789012:function:f"
    subscriptions.take(Source("123456789012", "us-east-1", arn, "x", "g", "s"), [{"id": 1, "message": "m"}])

    def is_done() -> bool:
        subscriptions.deliver()
        return len(function.calls) == calls

    assert eventually(is_done)
    assert all(one["logEvents"] == function.calls[0]["logEvents"] for one in function.calls)
    subscriptions.close()
