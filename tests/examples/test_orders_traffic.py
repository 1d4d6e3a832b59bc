"""The demo's traffic: repeatable, believable, and judged as a client would."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_the_same_seed_gives_the_same_requests(seed: int, traffic: Any) -> None:
    first, second = (list(islice(traffic.requests(seed), 200)) for _ in range(2))

    assert first == second
    assert first != list(islice(traffic.requests(seed + 1), 200))


def test_payloads_are_json_and_not_shared(traffic: Any) -> None:
    sent = list(islice(traffic.requests(3), 200))

    assert [json.loads(json.dumps(request.payload)) for request in sent] == [r.payload for r in sent]
    sent[0].payload["headers"].clear()
    assert sent[1].payload["headers"]


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_orders_are_asked_for_after_they_were_placed(seed: int, traffic: Any) -> None:
    placed: list[str] = []
    asked, unknown = 0, 0
    for request in islice(traffic.requests(seed), 2000):
        if request.function == "CreateOrder":
            customer = json.loads(request.payload["body"])["customer"]
            placed.append(traffic.order_id(customer, request.payload["headers"]["idempotency-key"]))
        else:
            asked += 1
            unknown += request.payload["pathParameters"]["id"] not in placed[: -traffic.SETTLED]

    assert len(set(placed)) == len(placed)
    assert 0.3 < asked / 2000 < 0.5
    assert unknown / asked < 0.05


@pytest.mark.parametrize(
    ("answer", "error", "failed"),
    [
        ({"statusCode": 201}, None, False),
        ({"statusCode": 404}, None, False),
        ({"statusCode": 500}, None, True),
        ({"statusCode": 503}, None, True),
        ({"statusCode": 200}, "Unhandled", True),
        ({"errorMessage": "'Item'"}, "Unhandled", True),
        ({}, None, True),
        (None, None, True),
    ],
)
def test_a_request_failed_if_a_client_would_say_so(
    answer: Any, error: str | None, failed: bool, traffic: Any
) -> None:
    assert traffic.failed(answer, error) is failed


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(min_value=0, max_value=2**32))
def test_any_seed_gives_valid_orders(traffic: Any, seed: int) -> None:
    for request in islice(traffic.requests(seed), 60):
        assert request.function in {"CreateOrder", "GetOrder"}
        assert request.payload["version"] == "2.0"
        if request.function == "CreateOrder":
            lines = json.loads(request.payload["body"])["lines"]
            assert 1 <= len(lines) == len({line["sku"] for line in lines})
