"""OrderCharged: write the notice that the customer gets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.data_classes import EventBridgeEvent, event_source
from jinja2 import Environment, FileSystemLoader, StrictUndefined

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger()
table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])
notices = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
)


@event_source(data_class=EventBridgeEvent)
@logger.inject_lambda_context
def handler(event: EventBridgeEvent, context: LambdaContext) -> None:
    """Write one notice per order, however often the event is delivered."""
    order_id = event.detail["order_id"]
    notice = {
        "pk": f"order#{order_id}",
        "sk": "notice#charged",
        "customer": event.detail["customer"],
        "text": write(event.detail),
        "created_at": event.time,
    }
    table.put_item(Item=notice)
    logger.info("customer notified", order_id=order_id)


def write(detail: dict[str, Any]) -> str:
    """The notice's text."""
    return notices.get_template("notice.txt.j2").render(
        customer=detail["customer"],
        order_id=detail["order_id"],
    )
