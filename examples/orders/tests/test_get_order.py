from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import get_order
import pytest


@pytest.fixture(autouse=True)
def _wired(monkeypatch: pytest.MonkeyPatch, table: Any) -> None:
    monkeypatch.setattr(get_order, "table", table)
    table.put_item(
        Item={
            "pk": "order#1",
            "sk": "order",
            "order_id": "1",
            "customer": "ada",
            "payment_token": "tok_visa",
            "status": "charged",
            "placed_at": "2025-01-06T09:00:00.000+00:00",
            "lines": [
                {"sku": "kettle", "quantity": Decimal(1), "net_cents": Decimal(4900)},
                {"sku": "mug", "quantity": Decimal(2), "net_cents": Decimal(2500)},
            ],
            "net_cents": Decimal(7400),
            "tax_cents": Decimal(1406),
            "total_cents": Decimal(8806),
            "currency": "EUR",
        }
    )


def get(order_id: str) -> dict[str, Any]:
    return {"headers": {}, "pathParameters": {"id": order_id}}


def shown(order_id: str, context: Any) -> dict[str, Any]:
    answer = get_order.handler(get(order_id), context)
    assert answer["statusCode"] == 200
    return json.loads(answer["body"])


def test_an_order_is_shown(context: Any) -> None:
    body = shown("1", context)

    assert body["status"] == "charged"
    assert body["total_cents"] == 8806
    assert body["lines"][1] == {"sku": "mug", "quantity": 2, "net_cents": 2500}


def test_the_payment_token_is_never_shown(context: Any) -> None:
    assert "tok_visa" not in json.dumps(shown("1", context))


def test_an_unknown_order_is_not_found(context: Any) -> None:
    assert get_order.handler(get("2"), context)["statusCode"] == 404
