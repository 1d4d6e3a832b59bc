from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from functions.receive_webhook.handler import Request, handle
from tidegate.domain.origins import Origin, Origins
from tidegate.domain.pipeline import WEBHOOK_SECRET
from tidegate.domain.webhooks import MAX_BODY, sign

if TYPE_CHECKING:
    from pathlib import Path

    from tests.functions.conftest import Pipeline
    from tidegate.domain.requests import UrlAnswer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FIRST = "first"
BODY = json.dumps(
    {"ref": "refs/heads/main", "after": COMMIT, "deleted": False, "repository": {"full_name": "acme/orders"}}
).encode()
ORIGINS = Origins(
    repositories=(Origin(host="github", name="acme/orders", service="orders", branches=("main",)),)
)


@pytest.fixture
def origins(tmp_path: Path) -> str:
    file = tmp_path / "origins.json"
    file.write_text(ORIGINS.model_dump_json())
    return str(file)


@pytest.fixture
def receiving(pipeline: Pipeline, origins: str) -> Pipeline:
    """A pipeline with a bus whose events come to a queue, and a webhook's secret."""
    pipeline.tools.settings._environment |= {"TIDEGATE_ORIGINS": origins, "TIDEGATE_EVENT_BUS": "bus"}
    events, queues = boto3.client("events"), boto3.client("sqs")
    events.create_event_bus(Name="bus")
    queues.create_queue(QueueName="heard")
    events.put_rule(Name="all", EventBusName="bus", EventPattern=json.dumps({"source": ["tidegate"]}))
    target = {"Id": "heard", "Arn": "arn:aws:sqs:us-east-1:123456789012:heard"}
    events.put_targets(Rule="all", EventBusName="bus", Targets=[target])
    boto3.client("secretsmanager").create_secret(Name=WEBHOOK_SECRET, SecretString="first")
    return pipeline


def heard() -> list[dict[str, Any]]:
    queue = boto3.client("sqs").get_queue_url(QueueName="heard")["QueueUrl"]
    answer = boto3.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
    return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


def deliver(pipeline: Pipeline, content: bytes = BODY, secret: str = FIRST, **changes: Any) -> UrlAnswer:
    event: dict[str, Any] = {
        "requestContext": {"http": {"method": changes.pop("method", "POST")}},
        "headers": {
            "content-type": "application/json",
            "x-github-event": "push",
            "x-github-delivery": "72d3162e",
            "X-Hub-Signature-256": sign(content, secret),
            **changes.pop("headers", {}),
        },
        "body": base64.b64encode(content).decode(),
        "isBase64Encoded": True,
        **changes,
    }
    return handle(Request(event), pipeline.tools)


def test_a_signed_push_becomes_an_event_that_intake_reads(receiving: Pipeline) -> None:
    told = deliver(receiving)
    assert (told.statusCode, json.loads(told.body)) == (
        202,
        {"service": "orders", "commit": COMMIT, "branch": "main"},
    )
    (event,) = heard()
    assert (event["source"], event["detail-type"]) == ("tidegate", "Commit Pushed")
    assert event["detail"] == {"service": "orders", "commit": COMMIT, "branch": "main"}


def test_a_body_that_is_text_is_signed_as_its_bytes(receiving: Pipeline) -> None:
    body = BODY.replace(b'"ref"', '"♥": "é", "ref"'.encode())
    assert deliver(receiving, body, body=body.decode(), isBase64Encoded=False).statusCode == 202


@pytest.mark.parametrize(
    ("status", "changes"),
    [
        (405, {"method": "GET"}),
        (400, {"body": "no base64!"}),
        (401, {"secret": "another"}),
        (401, {"headers": {"X-Hub-Signature-256": ""}}),
        (401, {"headers": {"X-Hub-Signature-256": "sha256=é"}}),
        (401, {"body": None}),
        (413, {"body": base64.b64encode(b" " * (MAX_BODY + 1)).decode()}),
        (415, {"headers": {"content-type": "application/x-www-form-urlencoded"}}),
        (400, {"headers": {"x-github-event": ""}}),
        (200, {"headers": {"x-github-event": "ping"}}),
        (405, {"requestContext": None}),
        (401, {"headers": None}),
    ],
)
def test_every_other_delivery_has_its_status(
    receiving: Pipeline, status: int, changes: dict[str, Any]
) -> None:
    if changes.get("headers", {}) is None:
        event = {"requestContext": {"http": {"method": "POST"}}, "body": "x"}
        told = handle(Request(event), receiving.tools)
    else:
        told = deliver(receiving, **changes)
    assert told.statusCode == status
    assert len(json.loads(told.body)) == 1
    assert heard() == []


def test_an_unsigned_body_is_not_parsed(receiving: Pipeline) -> None:
    assert deliver(receiving, b"{", secret="x").statusCode == 401
    assert deliver(receiving, b"{").statusCode == 400


def test_both_secrets_are_valid_while_they_are_rotated(receiving: Pipeline) -> None:
    secrets = boto3.client("secretsmanager")
    assert deliver(receiving).statusCode == 202
    secrets.put_secret_value(SecretId=WEBHOOK_SECRET, SecretString="second")
    receiving.tools.secrets._clock = lambda: 1e12  # a minute later
    assert deliver(receiving, secret="second").statusCode == 202
    assert deliver(receiving, secret="first").statusCode == 202
    secrets.put_secret_value(SecretId=WEBHOOK_SECRET, SecretString="third")
    receiving.tools.secrets._clock = lambda: 2e12
    assert deliver(receiving, secret="third").statusCode == 202
    assert deliver(receiving, secret="first").statusCode == 401


def test_a_new_secret_is_looked_for_before_a_delivery_is_refused(receiving: Pipeline) -> None:
    now = [100.0]
    receiving.tools.secrets._clock = lambda: now[0]
    assert deliver(receiving).statusCode == 202
    boto3.client("secretsmanager").put_secret_value(SecretId=WEBHOOK_SECRET, SecretString="second")
    assert deliver(receiving, secret="second").statusCode == 401  # looked for seconds ago
    now[0] += 6
    assert deliver(receiving, secret="second").statusCode == 202


def test_a_secret_that_is_about_to_be_current_is_valid(receiving: Pipeline) -> None:
    """GitHub is told first: between that and the new label, it signs with the pending one."""
    pending = {"SecretString": "next", "VersionStages": ["AWSPENDING"]}
    boto3.client("secretsmanager").put_secret_value(SecretId=WEBHOOK_SECRET, **pending)
    assert deliver(receiving, secret="next").statusCode == 202


class RefusingBus:
    def put(self, kind: str, detail: object) -> None:  # noqa: ARG002
        raise ClientError({"Error": {"Code": "InternalFailure", "Message": "no"}}, "PutEvents")


def test_a_bus_that_fails_is_no_exception(receiving: Pipeline) -> None:
    receiving.tools.__dict__["bus"] = RefusingBus()
    assert deliver(receiving).statusCode == 503


def test_a_secret_that_is_missing_refuses_everything(receiving: Pipeline) -> None:
    secrets = boto3.client("secretsmanager")
    secrets.delete_secret(SecretId=WEBHOOK_SECRET, ForceDeleteWithoutRecovery=True)
    assert deliver(receiving).statusCode == 401
    assert deliver(receiving, secret="").statusCode == 401
