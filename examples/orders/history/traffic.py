"""What the shop's clients ask for: an endless, repeatable mix of HTTP API requests.

Pure: it makes payloads and judges answers; who sends them, where and how fast, is not its business.
A sender takes one iterator and keeps it: orders that are asked for were placed earlier in the same one.
"""

from __future__ import annotations

import json
from collections import deque
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HOST = "orders.example.com"
START_MS = 1_736_154_000_000  # 2025-01-06T09:00:00Z, the first request's time
CREATE_SHARE = 0.5
UNKNOWN_SHARE = 0.02
SETTLED = 40  # an order is asked for only after so many younger ones: by then it has been stored
REMEMBERED = 400

SKUS = ("infuser", "kettle", "mug", "tea-assam", "tea-sencha", "teapot")
SKU_WEIGHTS = (2, 2, 4, 5, 3, 2)
QUANTITIES = (1, 2, 3, 4)
QUANTITY_WEIGHTS = (6, 5, 9, 2)
LINE_COUNTS = (1, 2, 3)
LINE_COUNT_WEIGHTS = (5, 4, 1)
TOKENS = ("tok_visa", "tok_mastercard", "tok_declined")
TOKEN_WEIGHTS = (12, 7, 1)

TABLE = "OrdersTable"
"""Logical id of the table that keeps the feature flags."""

LOYALTY_FLAG: dict[str, dict[str, Any]] = {
    "pk": {"S": "feature#loyalty"},
    "sk": {"S": "feature"},
    "enabled": {"BOOL": True},
}
"""The item (as DynamoDB's PutItem takes it) that turns loyalty points on."""


class Request(NamedTuple):
    """One invocation: the function's logical id, and an HTTP API event in payload format 2.0."""

    function: str
    payload: dict[str, Any]


def requests(seed: int) -> Iterator[Request]:
    """Yield requests for ever; the same for the same seed, and other orders for another."""
    random = Random(seed)
    placed: deque[str] = deque(maxlen=REMEMBERED)
    number = 0
    while True:
        number += 1
        if len(placed) <= SETTLED or random.random() < CREATE_SHARE:
            customer = f"customer-{random.randrange(200):03}"
            key = f"{seed}-{number}"
            placed.append(order_id(customer, key))
            yield Request("CreateOrder", create(random, number, customer, key))
        elif random.random() < UNKNOWN_SHARE:
            yield Request("GetOrder", get(random, number, str(UUID(int=random.getrandbits(128), version=4))))
        else:
            yield Request("GetOrder", get(random, number, placed[random.randrange(len(placed) - SETTLED)]))


def failed(payload_of_answer: object, function_error: str | None) -> bool:
    """Whether a request failed: the invocation erred, or the answer is a 5xx or none at all.

    `payload_of_answer` is Invoke's Payload, decoded from JSON; `function_error` its FunctionError.
    """
    if function_error or not isinstance(payload_of_answer, dict):
        return True
    status = payload_of_answer.get("statusCode")
    return not isinstance(status, int) or status >= 500


def order_id(customer: str, key: str) -> str:
    """The id that the service gives to a customer's order with this idempotency key."""
    return str(uuid5(NAMESPACE_URL, f"orders:{customer}:{key}"))


def create(random: Random, number: int, customer: str, key: str) -> dict[str, Any]:
    """POST /orders."""
    (count,) = random.choices(LINE_COUNTS, LINE_COUNT_WEIGHTS)
    skus: dict[str, None] = {}
    while len(skus) < count:
        skus |= dict.fromkeys(random.choices(SKUS, SKU_WEIGHTS))
    body = {
        "customer": customer,
        "payment_token": random.choices(TOKENS, TOKEN_WEIGHTS)[0],
        "lines": [{"sku": sku, "quantity": random.choices(QUANTITIES, QUANTITY_WEIGHTS)[0]} for sku in skus],
    }
    headers = {"content-type": "application/json", "idempotency-key": key}
    event = http_event(random, number, "POST /orders", "/orders", headers)
    return event | {"body": json.dumps(body)}


def get(random: Random, number: int, wanted: str) -> dict[str, Any]:
    """GET /orders/{id}."""
    event = http_event(random, number, "GET /orders/{id}", f"/orders/{wanted}", {})
    return event | {"pathParameters": {"id": wanted}}


def http_event(
    random: Random, number: int, route: str, path: str, headers: Mapping[str, str]
) -> dict[str, Any]:
    """What an HTTP API sends to a function, payload format 2.0.

    Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """
    return {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"accept": "application/json", "host": HOST, **headers},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "orders",
            "domainName": HOST,
            "domainPrefix": "orders",
            "http": {
                "method": route.partition(" ")[0],
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": f"192.0.2.{random.randrange(1, 255)}",
                "userAgent": "tea-shop/1.0",
            },
            "requestId": f"{random.getrandbits(64):016x}",
            "routeKey": route,
            "stage": "$default",
            "timeEpoch": START_MS + number * 100,
        },
        "isBase64Encoded": False,
    }
