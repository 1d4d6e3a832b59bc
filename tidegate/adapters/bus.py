"""Tidegate's events, put on its bus; the message is a sentence that a person can read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_events import EventBridgeClient

    from tidegate.domain.identity import ReleaseRef


class Bus:
    """Publishes the events of releases."""

    def __init__(self, client: EventBridgeClient, name: str) -> None:
        self._client = client
        self._name = name

    def publish(self, kind: str, ref: ReleaseRef, message: str, **detail: Any) -> None:  # noqa: ANN401
        """Put one event; ClientError where the bus refuses the entry, since PutEvents itself does not fail.

        Source: Amazon EventBridge API Reference, "PutEvents".
        """
        body = {
            "service": ref.service,
            "release": ref.id,
            "execution": ref.execution,
            "message": message,
            **detail,
        }
        self.put(kind, body)

    def put(self, kind: str, detail: Mapping[str, Any]) -> None:
        """Put one event with this detail; errors as above."""
        answer = self._client.put_events(
            Entries=[
                {
                    "EventBusName": self._name,
                    "Source": "tidegate",
                    "DetailType": kind,
                    "Detail": json.dumps(detail, default=str),
                }
            ]
        )
        if answer["FailedEntryCount"]:
            refused = answer["Entries"][0]
            message = f"{kind}: {refused.get('ErrorMessage')}"
            code = refused.get("ErrorCode", "Refused")
            raise ClientError({"Error": {"Code": code, "Message": message}}, "PutEvents")
