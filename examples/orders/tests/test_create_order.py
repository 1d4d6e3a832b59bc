from __future__ import annotations

import json
from typing import Any

import create_order
import pytest

KETTLE = {"sku": "kettle", "quantity": 1}


@pytest.fixture(autouse=True)
def _wired(monkeypatch: pytest.MonkeyPatch, table: Any, queue: Any) -> None:
    monkeypatch.setattr(create_order, "table", table)
    monkeypatch.setattr(create_order, "queue", queue)


def post(body: Any, key: str | None = "a key") -> dict[str, Any]:
    headers = {"content-type": "application/json"} | ({"idempotency-key": key} if key else {})
    return {"headers": headers, "body": body if isinstance(body, str) else json.dumps(body)}


def order(**changes: Any) -> dict[str, Any]:
    return {"customer": "ada", "payment_token": "tok_visa", "lines": [KETTLE]} | changes


def test_an_order_is_stored_and_queued(table: Any, queue: Any, context: Any) -> None:
    answer = create_order.handler(post(order()), context)

    body = json.loads(answer["body"])
    assert answer["statusCode"] == 201
    assert body["total_cents"] == 5831
    stored = table.items[f"order#{body['order_id']}", "order"]
    assert stored["status"] == "placed"
    assert stored["lines"] == [{"sku": "kettle", "quantity": 1, "net_cents": 4900}]
    assert [json.loads(message) for message in queue.bodies] == [{"order_id": body["order_id"]}]


def test_the_same_key_is_the_same_order(table: Any, context: Any) -> None:
    first, second = (create_order.handler(post(order()), context) for _ in range(2))

    assert (first["statusCode"], second["statusCode"]) == (201, 200)
    assert json.loads(first["body"])["order_id"] == json.loads(second["body"])["order_id"]
    assert len(table.items) == 1


def test_another_customer_may_use_the_same_key(table: Any, context: Any) -> None:
    for customer in ("ada", "grace"):
        create_order.handler(post(order(customer=customer)), context)

    assert len(table.items) == 2


def test_without_a_key_every_order_is_a_new_one(table: Any, context: Any) -> None:
    for _ in range(2):
        create_order.handler(post(order(), key=None), context)

    assert len(table.items) == 2


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no json",
        order(customer=" "),
        order(lines=[]),
        order(lines=[KETTLE | {"quantity": 0}]),
        order(lines=[KETTLE | {"sku": "samovar"}]),
        order(discount=100),
    ],
)
def test_what_cannot_be_ordered_is_refused(body: Any, table: Any, queue: Any, context: Any) -> None:
    answer = create_order.handler(post(body), context)

    assert answer["statusCode"] == 422
    assert json.loads(answer["body"])["problems"]
    assert not table.items
    assert not queue.bodies
