"""The payment queue's consumer: charge orders, announce the charged ones."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from payment import charge

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])
events = boto3.client("events")
event_bus = os.environ["EVENT_BUS"]
limit_cents = int(os.environ["PAYMENT_LIMIT_CENTS"])
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


class EventRefusedError(Exception):
    """The event bus did not take an event."""


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer with the messages that failed; only those come again."""
    return process_partial_response(event=event, record_handler=process, processor=processor, context=context)


def process(record: SQSRecord) -> None:
    """Charge one message's order."""
    try:
        settle(json.loads(record.body)["order_id"])
    except Exception:
        logger.exception("order not charged", message_id=record.message_id)
        raise


def settle(order_id: str) -> None:
    """Bring an order from placed to charged or declined; charged ones are announced at least once."""
    key = {"pk": f"order#{order_id}", "sk": "order"}
    order = table.get_item(Key=key, ConsistentRead=True)["Item"]
    if order["status"] == "placed":
        order |= pay(order, key)
    if order["status"] == "charged":
        announce(order)


def pay(order: dict[str, Any], key: dict[str, str]) -> dict[str, str]:
    """Charge the order and write the result, unless another consumer was faster."""
    payment = charge(order["payment_token"], int(order["total_cents"]), limit_cents)
    table.update_item(
        Key=key,
        UpdateExpression="SET #status = :status, #reason = :reason",
        ConditionExpression="#status = :placed",
        ExpressionAttributeNames={"#status": "status", "#reason": "payment_reason"},
        ExpressionAttributeValues={
            ":status": payment.status,
            ":reason": payment.reason,
            ":placed": "placed",
        },
    )
    logger.info("order settled", order_id=order["order_id"], status=payment.status)
    return {"status": payment.status, "payment_reason": payment.reason}


def announce(order: dict[str, Any]) -> None:
    """Put OrderCharged on the bus."""
    detail = {
        "order_id": order["order_id"],
        "customer": order["customer"],
        "total_cents": int(order["total_cents"]),
        "currency": order["currency"],
    }
    entry = {
        "EventBusName": event_bus,
        "Source": "orders",
        "DetailType": "OrderCharged",
        "Detail": json.dumps(detail),
    }
    result = events.put_events(Entries=[entry])
    if result["FailedEntryCount"]:
        raise EventRefusedError(result["Entries"][0].get("ErrorMessage", "no reason given"))
