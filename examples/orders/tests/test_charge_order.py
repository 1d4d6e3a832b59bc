from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import charge_order
import pytest


@pytest.fixture(autouse=True)
def _wired(monkeypatch: pytest.MonkeyPatch, table: Any, bus: Any) -> None:
    monkeypatch.setattr(charge_order, "table", table)
    monkeypatch.setattr(charge_order, "events", bus)


def place(table: Any, order_id: str, *, token: str = "tok_visa", cents: int = 8806) -> None:
    table.put_item(
        Item={
            "pk": f"order#{order_id}",
            "sk": "order",
            "order_id": order_id,
            "customer": "ada",
            "payment_token": token,
            "status": "placed",
            "total_cents": Decimal(cents),
            "currency": "EUR",
        }
    )


def batch(*order_ids: str) -> dict[str, Any]:
    return {
        "Records": [
            {
                "messageId": f"message {order_id}",
                "body": json.dumps({"order_id": order_id}),
                "eventSource": "aws:sqs",
            }
            for order_id in order_ids
        ]
    }


def failures(answer: dict[str, Any]) -> list[str]:
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_an_order_is_charged_and_announced(table: Any, bus: Any, context: Any) -> None:
    place(table, "1")

    assert failures(charge_order.handler(batch("1"), context)) == []

    assert table.items["order#1", "order"]["status"] == "charged"
    (entry,) = bus.entries
    assert (entry["Source"], entry["DetailType"]) == ("orders", "OrderCharged")
    assert json.loads(entry["Detail"]) == {
        "order_id": "1",
        "customer": "ada",
        "total_cents": 8806,
        "currency": "EUR",
    }


@pytest.mark.parametrize("order", [{"token": "tok_declined"}, {"cents": 500001}])
def test_a_declined_order_is_not_announced(order: Any, table: Any, bus: Any, context: Any) -> None:
    place(table, "1", **order)

    assert failures(charge_order.handler(batch("1"), context)) == []

    assert table.items["order#1", "order"]["status"] == "declined"
    assert not bus.entries


def test_only_the_failed_messages_come_again(table: Any, context: Any) -> None:
    place(table, "1")
    place(table, "2", token="tok_unreachable")

    assert failures(charge_order.handler(batch("1", "2", "3"), context)) == ["message 2", "message 3"]

    assert table.items["order#1", "order"]["status"] == "charged"
    assert table.items["order#2", "order"]["status"] == "placed"


def test_what_was_charged_but_not_announced_is_announced_the_next_time(
    table: Any, bus: Any, context: Any
) -> None:
    place(table, "1")
    bus.refuses = True
    assert failures(charge_order.handler(batch("1"), context)) == ["message 1"]

    bus.refuses = False
    assert failures(charge_order.handler(batch("1"), context)) == []

    assert len(bus.entries) == 1
