"""An environment as the functions expect it, and stand-ins for what they call."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

os.environ |= {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "POWERTOOLS_SERVICE_NAME": "orders",
    "STAGE": "dev",
    "TABLE_NAME": "orders",
    "QUEUE_URL": "https://queue.invalid/payments",
    "TAX_RATE": "0.19",
    "CURRENCY_ROUNDING": "ROUND_HALF_UP",
    "EVENT_BUS": "orders-events",
    "PAYMENT_LIMIT_CENTS": "500000",
}


class ConditionalCheckFailedError(Exception):
    """The stand-in for DynamoDB's ConditionalCheckFailedException."""


class Table:
    """A table in memory; it knows the conditions and updates that the functions use."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], dict[str, Any]] = {}
        exceptions = SimpleNamespace(ConditionalCheckFailedException=ConditionalCheckFailedError)
        self.meta = SimpleNamespace(client=SimpleNamespace(exceptions=exceptions))

    def get_item(self, *, Key: dict[str, str], ConsistentRead: bool = False) -> dict[str, Any]:
        item = self.items.get((Key["pk"], Key["sk"]))
        return {} if item is None else {"Item": dict(item)}

    def put_item(self, *, Item: dict[str, Any], ConditionExpression: str = "") -> None:
        key = (Item["pk"], Item["sk"])
        assert ConditionExpression in {"", "attribute_not_exists(pk)"}
        if ConditionExpression and key in self.items:
            raise ConditionalCheckFailedError
        self.items[key] = dict(Item)

    def update_item(
        self,
        *,
        Key: dict[str, str],
        UpdateExpression: str,
        ConditionExpression: str,
        ExpressionAttributeNames: dict[str, str],
        ExpressionAttributeValues: dict[str, Any],
    ) -> None:
        item = self.items[Key["pk"], Key["sk"]]
        name, value = ConditionExpression.split(" = ")
        if item[ExpressionAttributeNames[name]] != ExpressionAttributeValues[value]:
            raise ConditionalCheckFailedError
        for assignment in UpdateExpression.removeprefix("SET ").split(", "):
            name, value = assignment.split(" = ")
            item[ExpressionAttributeNames[name]] = ExpressionAttributeValues[value]


@dataclass
class Queue:
    """A queue that keeps the bodies sent to it."""

    bodies: list[str] = field(default_factory=list)

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> None:
        self.bodies.append(MessageBody)


@dataclass
class Bus:
    """An event bus that keeps the entries put on it, or refuses them."""

    refuses: bool = False
    entries: list[dict[str, Any]] = field(default_factory=list)

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        if self.refuses:
            return {"FailedEntryCount": len(Entries), "Entries": [{"ErrorMessage": "throttled"}]}
        self.entries += Entries
        return {"FailedEntryCount": 0, "Entries": [{} for _ in Entries]}


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def context() -> SimpleNamespace:
    return SimpleNamespace(
        function_name="orders",
        function_version="1",
        memory_limit_in_mb=256,
        invoked_function_arn="arn:aws:lambda:eu-central-1:123456789012:function:orders",
        aws_request_id="1f0e7f57-3d5c-4b8e-9b5e-6a1c2d3e4f50",
    )
