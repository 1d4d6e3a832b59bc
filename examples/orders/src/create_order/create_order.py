"""POST /orders: check and price an order, store it, queue it for payment."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid4, uuid5

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2, event_source
from order_request import OrderRequest
from pricing import CURRENCY, Price, PricingError, Tax, UnknownArticleError, price
from pydantic import ValidationError

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])
queue = boto3.client("sqs")
queue_url = os.environ["QUEUE_URL"]
tax = Tax(rate=Decimal(os.environ["TAX_RATE"]), rounding=os.environ["CURRENCY_ROUNDING"])


@event_source(data_class=APIGatewayProxyEventV2)
@logger.inject_lambda_context
def handler(event: APIGatewayProxyEventV2, context: LambdaContext) -> dict[str, Any]:
    """Answer 201 for a new order, 200 for one placed before, 422 for one that cannot be."""
    try:
        request = OrderRequest.model_validate_json(event.decoded_body or "")
        cost = price(request.lines, tax)
    except ValidationError as error:
        return refuse(json.loads(error.json(include_url=False, include_input=False, include_context=False)))
    except UnknownArticleError as error:
        return refuse([{"msg": f"there is no article {error}"}])
    except PricingError:
        logger.exception("order could not be priced")
        return answer(500, {"message": "the order could not be priced"})
    return place(request, cost, event.headers.get("idempotency-key"))


def place(request: OrderRequest, cost: Price, key: str | None) -> dict[str, Any]:
    """Store the order and queue it; twice does no harm, and mends a first try that died half way."""
    order_id = str(uuid5(NAMESPACE_URL, f"orders:{request.customer}:{key}") if key else uuid4())
    new = store(order_id, request, cost)
    queue.send_message(QueueUrl=queue_url, MessageBody=json.dumps({"order_id": order_id}))
    logger.info("order placed", order_id=order_id, new=new)
    if not new:
        return answer(200, {"order_id": order_id})
    return answer(201, {"order_id": order_id, "total_cents": cost.total_cents, "currency": CURRENCY})


def store(order_id: str, request: OrderRequest, cost: Price) -> bool:
    """Write the order; false if it is there already."""
    item = {
        "pk": f"order#{order_id}",
        "sk": "order",
        "order_id": order_id,
        "customer": request.customer,
        "payment_token": request.payment_token,
        "status": "placed",
        "placed_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "lines": [
            line.model_dump() | {"net_cents": cents}
            for line, cents in zip(request.lines, cost.line_cents, strict=True)
        ],
        "net_cents": cost.net_cents,
        "tax_cents": cost.tax_cents,
        "total_cents": cost.total_cents,
        "currency": CURRENCY,
    }
    try:
        table.put_item(Item=item, ConditionExpression="attribute_not_exists(pk)")
    except table.meta.client.exceptions.ConditionalCheckFailedException:
        return False
    return True


def refuse(problems: list[dict[str, Any]]) -> dict[str, Any]:
    """The answer to an order that cannot be placed, with what is wrong with it."""
    logger.warning("order refused", problems=problems)
    return answer(422, {"message": "the order is not valid", "problems": problems})


def answer(status: int, body: dict[str, Any]) -> dict[str, Any]:
    """A response of an HTTP API, payload format 2.0."""
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(body),
    }
