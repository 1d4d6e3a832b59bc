"""Where asynchronous results and dead letters go: queues, topics, functions and event buses."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud


class Destinations:
    """Sends documents to ARNs; clients are made when first needed."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:  # noqa: ANN401
        """Give the cloud's client of a service."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._cloud.client(service)
            return self._clients[service]

    def send(self, arn: str, document: dict[str, Any]) -> None:
        """Send a record or a dead letter (`body`, `attributes`); NotImplementedError for other targets."""
        attributes = document.get("attributes", {})
        text = document["body"] if attributes else json.dumps(document)
        named = {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items() if value
        }
        match arn.split(":")[2]:
            case "sqs":
                url = self.client("sqs").get_queue_url(QueueName=arn.rsplit(":", 1)[1])["QueueUrl"]
                self.client("sqs").send_message(QueueUrl=url, MessageBody=text, MessageAttributes=named)
            case "sns":
                self.client("sns").publish(TopicArn=arn, Message=text, MessageAttributes=named)
            case "lambda":
                self.client("lambda").invoke(FunctionName=arn, InvocationType="Event", Payload=text.encode())
            case "events":
                self._put_event(arn, document)
            case service:
                raise NotImplementedError(
                    f"the local cloud cannot send results of functions to {service} ({arn})"
                )

    def _put_event(self, arn: str, document: dict[str, Any]) -> None:
        succeeded = document["requestContext"]["condition"] == "Success"
        entry = {
            "EventBusName": arn,
            "Source": "lambda",
            "DetailType": f"Lambda Function Invocation Result - {'Success' if succeeded else 'Failure'}",
            "Resources": [document["requestContext"]["functionArn"]],
            "Detail": json.dumps(document),
        }
        answer = self.client("events").put_events(Entries=[entry])
        if answer["FailedEntryCount"]:
            raise RuntimeError(f"the event bus {arn} took no event: {answer['Entries']}")
