"""GET /orders/{id}: show one order."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2, event_source

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])

SHOWN = (
    "order_id",
    "customer",
    "status",
    "placed_at",
    "lines",
    "net_cents",
    "tax_cents",
    "total_cents",
    "currency",
)


@event_source(data_class=APIGatewayProxyEventV2)
@logger.inject_lambda_context
def handler(event: APIGatewayProxyEventV2, context: LambdaContext) -> dict[str, Any]:
    """Answer 200 with the order, or 404."""
    order_id = event.path_parameters["id"]
    item = table.get_item(Key={"pk": f"order#{order_id}", "sk": "order"}).get("Item")
    if item is None:
        logger.info("no such order", order_id=order_id)
        return answer(404, {"message": f"there is no order {order_id}"})
    logger.info("order shown", order_id=order_id)
    return answer(200, present(item))


def present(item: dict[str, Any]) -> dict[str, Any]:
    """The order as clients see it: never the payment token or the keys."""
    return {name: item[name] for name in SHOWN}


def answer(status: int, body: dict[str, Any]) -> dict[str, Any]:
    """A response of an HTTP API, payload format 2.0."""
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(body, default=whole),
    }


def whole(value: object) -> int:
    """A number as DynamoDB gives it; all of ours are whole."""
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    raise TypeError(f"{value!r} has no place in an answer")
