from __future__ import annotations

from typing import Any

import notify_customer
import pytest

CHARGED = {
    "time": "2025-01-06T09:00:02Z",
    "source": "orders",
    "detail-type": "OrderCharged",
    "detail": {"order_id": "1", "customer": "ada", "total_cents": 8806, "currency": "EUR"},
}


@pytest.fixture(autouse=True)
def _wired(monkeypatch: pytest.MonkeyPatch, table: Any) -> None:
    monkeypatch.setattr(notify_customer, "table", table)


def test_the_customer_is_told(table: Any, context: Any) -> None:
    notify_customer.handler(CHARGED, context)

    notice = table.items["order#1", "notice#charged"]
    assert notice["customer"] == "ada"
    assert notice["text"].startswith("Hello ada,\n")
    assert "order 1 has been paid" in notice["text"]


def test_an_event_delivered_twice_makes_one_notice(table: Any, context: Any) -> None:
    for _ in range(2):
        notify_customer.handler(CHARGED, context)

    assert len(table.items) == 1
