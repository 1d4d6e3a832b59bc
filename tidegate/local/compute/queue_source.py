"""Polling a queue for a function: batches are received, run, and deleted or left to become visible again.

Several batches may be under way at once, as with Lambda's pollers; redrive is the queue's own affair.
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

from __future__ import annotations

import base64
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from moto.core.utils import unix_time_millis
from moto.sqs.exceptions import ReceiptHandleIsInvalid
from moto.sqs.models import sqs_backends

from tidegate.local.compute.batches import failed_items, wanted
from tidegate.local.compute.errors import TooManyRequestsException
from tidegate.local.compute.invoker import Call

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.local.compute.invoker import Invoker
    from tidegate.local.compute.sandbox import Outcome

PARALLEL: Final = 5
THROTTLE_SECONDS: Final = 0.2


class QueueSource:
    """The poller of one mapping while `going` says so; `pace` scales the waits after a failure."""

    def __init__(self, mapping: Any, invoker: Invoker, going: Callable[[], bool], pace: float) -> None:  # noqa: ANN401
        self._mapping = mapping
        self._invoker = invoker
        self._going = going
        self._pace = pace
        _, _, _, self._region, self._account, self._name = mapping.event_source_arn.split(":")
        most = (mapping.scaling_config or {}).get("MaximumConcurrency") or PARALLEL
        self._slots = threading.Semaphore(int(most))
        self._workers = ThreadPoolExecutor(max_workers=int(most), thread_name_prefix="tidegate-queue")

    def run(self) -> None:
        """Poll until it should not go on."""
        while self._going():
            if self._mapping.enabled and self._slots.acquire(timeout=0.2):
                self._poll()
            elif not self._mapping.enabled:
                time.sleep(0.1)
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _poll(self) -> None:
        queue = sqs_backends[self._account][self._region].queues.get(self._name)
        if queue is None:
            self._slots.release()
            time.sleep(0.2)
            return
        queue.wait_for_messages(0.2)
        messages = self._receive(queue)
        if messages:
            self._workers.submit(self._process, queue, messages)
        else:
            self._slots.release()
            time.sleep(0.02)

    def _receive(self, queue: Any) -> list[Any]:  # noqa: ANN401
        backend = sqs_backends[self._account][self._region]
        messages: list[Any] = []
        limit = time.monotonic() + float(self._mapping.max_batch_window or 0)
        while len(messages) < self._mapping.batch_size and self._going():
            wish = self._mapping.batch_size - len(messages)
            messages += backend.receive_message(self._name, wish, 0, int(queue.visibility_timeout), ["All"])
            if not messages or time.monotonic() >= limit:
                break
            time.sleep(0.02)
        return messages

    def _process(self, queue: Any, messages: list[Any]) -> None:  # noqa: ANN401
        try:
            records = [_record(message, self._mapping.event_source_arn, self._region) for message in messages]
            chosen = [record for record in records if wanted(self._mapping.filter_criteria, record, "body")]
            identifiers = [record["messageId"] for record in chosen]
            outcome = self._invoke(chosen, float(queue.visibility_timeout)) if chosen else None
            partial = "ReportBatchItemFailures" in (self._mapping.function_response_types or [])
            failed = failed_items(outcome, identifiers, partial=partial) if chosen else set()
            for message in messages:
                if message.id in failed:
                    self._leave(queue, message)
                else:
                    self._delete(queue, message)
        finally:
            self._slots.release()

    def _invoke(self, records: list[dict[str, Any]], seconds: float) -> Outcome | None:
        """Run the batch; a throttled one is tried again while its messages are invisible."""
        payload = json.dumps({"Records": records}).encode()
        call = Call(self._account, self._region, self._mapping.function_arn, payload)
        limit = time.monotonic() + seconds
        while self._going():
            try:
                return self._invoker.run(call)[1]
            except TooManyRequestsException:
                if time.monotonic() >= limit:
                    return None
                time.sleep(THROTTLE_SECONDS)
        return None

    def _leave(self, queue: Any, message: Any) -> None:  # noqa: ANN401
        """Let a message become visible after the queue's timeout, at the cloud's pace."""
        with queue._messages_lock:
            for kept in queue._messages:
                if kept.had_receipt_handle(message.receipt_handle):
                    kept.visible_at = unix_time_millis() + queue.visibility_timeout * 1000 * self._pace

    def _delete(self, queue: Any, message: Any) -> None:  # noqa: ANN401
        try:
            queue.delete_message(message.receipt_handle)
        except ReceiptHandleIsInvalid:
            return  # it is gone: purged, or handed on to the dead-letter queue meanwhile


def _record(message: Any, queue_arn: str, region: str) -> dict[str, Any]:  # noqa: ANN401
    attributes = {
        "ApproximateReceiveCount": str(message.approximate_receive_count),
        "SentTimestamp": str(message.sent_timestamp),
        "SenderId": message.sender_id,
        "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
        "MessageGroupId": message.group_id,
        "MessageDeduplicationId": message.deduplication_id,
        "SequenceNumber": message.sequence_number,
    }
    return {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": {name: value for name, value in attributes.items() if value is not None},
        "messageAttributes": {name: _attribute(value) for name, value in message.message_attributes.items()},
        "md5OfBody": message.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    }


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    binary = value.get("BinaryValue") or value.get("binary_value")
    text = value.get("StringValue") or value.get("string_value")
    attribute: dict[str, Any] = {
        "dataType": value.get("DataType") or value.get("data_type"),
        "stringListValues": [],
        "binaryListValues": [],
    }
    if binary:
        attribute["binaryValue"] = base64.b64encode(binary).decode() if isinstance(binary, bytes) else binary
    else:
        attribute["stringValue"] = text
    return attribute
