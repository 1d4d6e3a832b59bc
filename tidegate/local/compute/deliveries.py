"""Asynchronous invocation: events are accepted, tried up to three times, and then handed on or dropped.

Lambda waits a minute and then two between tries; here the waits are short, the order of things is the same.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

from __future__ import annotations

import heapq
import itertools
import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tidegate.local.compute import event_configs
from tidegate.local.compute.aliases import resolve
from tidegate.local.compute.errors import TooManyRequestsException
from tidegate.local.compute.invoker import ASYNCHRONOUS_LIMIT
from tidegate.local.compute.pool import Stopping
from tidegate.local.compute.telemetry import Subject

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.local.compute.aliases import Target
    from tidegate.local.compute.invoker import Call, Invoker
    from tidegate.local.compute.sandbox import Outcome
    from tidegate.local.compute.telemetry import Telemetry

LOG: Final = logging.getLogger(__name__)
MAXIMUM_AGE: Final = 21_600
WORKERS: Final = 12  # a burst starts a process for each event that is handled at once


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way; `failures` counts the tries that failed, throttled ones not."""

    call: Call
    accepted_at: float
    failures: int = 0
    throttles: int = 0


@dataclass(frozen=True, slots=True)
class Rules:
    """What an EventInvokeConfig says."""

    retries: int
    maximum_age: float
    on_success: str | None
    on_failure: str | None


class Deliveries:
    """Takes events and sees each to its end; `retry_seconds` are the waits before the next tries."""

    def __init__(
        self, invoker: Invoker, telemetry: Telemetry, send: Callable[[str, dict[str, Any]], None]
    ) -> None:
        self.retry_seconds: tuple[float, ...] = (0.3, 0.6)
        self.throttle_seconds = 0.2
        self._invoker = invoker
        self._telemetry = telemetry
        self._send = send
        self._workers = ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="tidegate-event")
        self._lock = threading.Lock()
        self._waiting: list[tuple[float, int, Delivery]] = []
        self._order = itertools.count()

    def accept(self, call: Call) -> str:
        """Take an event; gives its request id. Raises Lambda's errors for what it would not accept."""
        call = call.numbered()
        target = self._invoker.check(call, limit=ASYNCHRONOUS_LIMIT)
        self._telemetry.count(self._subject(call, target), time.time(), {"AsyncEventsReceived": 1})
        self._workers.submit(self._deliver, Delivery(call, time.time()))
        return call.request_id

    def release(self) -> None:
        """Start the tries that are due."""
        now = time.monotonic()
        with self._lock:
            due = []
            while self._waiting and self._waiting[0][0] <= now:
                due.append(heapq.heappop(self._waiting)[2])
        for delivery in due:
            self._workers.submit(self._deliver, delivery)

    def close(self) -> None:
        """Give up what waits."""
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _deliver(self, delivery: Delivery) -> None:
        try:
            self._try(delivery)
        except Stopping:
            return  # what waits is given up, as `close` says
        except Exception:
            LOG.exception("the event %s for %s is lost", delivery.call.request_id, delivery.call.function)

    def _try(self, delivery: Delivery) -> None:
        call = delivery.call
        target = resolve(call.backend(), call.function, call.qualifier)
        rules = self._rules(call, target)
        try:
            outcome = self._invoker.run_target(target, call)
        except TooManyRequestsException:
            if time.time() - delivery.accepted_at < rules.maximum_age:
                again = replace(delivery, throttles=delivery.throttles + 1)
                self._wait(again, self.throttle_seconds * min(2**delivery.throttles, 16))
            else:
                self._give_up(delivery, target, rules, None)
            return
        if outcome.status == "success":
            if rules.on_success:
                self._hand_on(rules.on_success, _record(delivery, target, outcome, "Success"), target, call)
        elif delivery.failures < rules.retries:
            pause = self.retry_seconds[min(delivery.failures, len(self.retry_seconds) - 1)]
            self._wait(replace(delivery, failures=delivery.failures + 1), pause)
        else:
            self._give_up(delivery, target, rules, outcome)

    def _wait(self, delivery: Delivery, seconds: float) -> None:
        with self._lock:
            heapq.heappush(self._waiting, (time.monotonic() + seconds, next(self._order), delivery))

    def _give_up(self, delivery: Delivery, target: Target, rules: Rules, outcome: Outcome | None) -> None:
        call = delivery.call
        self._telemetry.count(self._subject(call, target), time.time(), {"AsyncEventsDropped": 1})
        if rules.on_failure:
            condition = "EventAgeExceeded" if outcome is None else "RetriesExhausted"
            self._hand_on(rules.on_failure, _record(delivery, target, outcome, condition), target, call)
        dead_letters = target.function.dead_letter_config.get("TargetArn")
        if dead_letters:
            self._hand_on(dead_letters, _dead_letter(call, outcome), target, call, "DeadLetterErrors")

    def _hand_on(
        self,
        arn: str,
        document: dict[str, Any],
        target: Target,
        call: Call,
        metric: str = "DestinationDeliveryFailures",
    ) -> None:
        try:
            self._send(arn, document)
        except Exception:
            LOG.exception("%s of %s could not be delivered to %s", call.request_id, call.function, arn)
            self._telemetry.count(self._subject(call, target), time.time(), {metric: 1})

    def _subject(self, call: Call, target: Target) -> Subject:
        return Subject(call.account_id, call.region, target.function.function_name, target.resource)

    def _rules(self, call: Call, target: Target) -> Rules:
        qualifier = target.resource.partition(":")[2] or None
        config = event_configs.find(call.backend(), target.function.function_name, qualifier) or {}
        destinations = config.get("DestinationConfig") or {}
        return Rules(
            retries=int(config.get("MaximumRetryAttempts", 2)),
            maximum_age=float(config.get("MaximumEventAgeInSeconds") or MAXIMUM_AGE),
            on_success=(destinations.get("OnSuccess") or {}).get("Destination"),
            on_failure=(destinations.get("OnFailure") or {}).get("Destination"),
        )


def _json(payload: bytes) -> Any:  # noqa: ANN401
    return json.loads(payload or b"null")


def _record(delivery: Delivery, target: Target, outcome: Outcome | None, condition: str) -> dict[str, Any]:
    """Make the record that a destination gets."""
    qualified = target.arn if ":" in target.resource else f"{target.arn}:$LATEST"
    record: dict[str, Any] = {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": delivery.call.request_id,
            "functionArn": qualified,
            "condition": condition,
            "approximateInvokeCount": delivery.failures + 1,
        },
        "requestPayload": _json(delivery.call.payload),
    }
    if outcome is not None:
        context: dict[str, Any] = {"statusCode": 200, "executedVersion": str(target.function.version)}
        if outcome.function_error:
            context["functionError"] = outcome.function_error
        record |= {"responseContext": context, "responsePayload": _json(outcome.payload)}
    return record


def _dead_letter(call: Call, outcome: Outcome | None) -> dict[str, Any]:
    """Make the event as it goes to a dead-letter queue: the body as it was, the reason in attributes."""
    reason = _json(outcome.payload).get("errorMessage", "") if outcome else "Rate Exceeded."
    attributes = {
        "RequestID": call.request_id,
        "ErrorCode": "200" if outcome else "429",
        "ErrorMessage": reason[:1024],
    }
    return {"body": call.payload.decode(), "attributes": attributes}
