"""Subscriptions of log groups: a stream's new events go to a function a moment later, and again if it fails.

moto calls the function for each line, whatever the filter's pattern, while the line's writer waits. Here one
function is called once at a time, with what has come together of one stream: one warm sandbox is enough.
Events go as CloudWatch Logs sends them, compressed and with their ids. Kinesis and Firehose stay moto's own.
Source: Amazon CloudWatch Logs User Guide, "Subscription filters with AWS Lambda".
"""

from __future__ import annotations

import base64
import gzip
import json
import logging
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from moto.awslambda.exceptions import LambdaClientError
from moto.logs import models
from moto.logs.exceptions import LimitExceededException

from tidegate.local import functions
from tidegate.local.compute.invoker import Call
from tidegate.local.log_patterns import read

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.local.cloud import LocalCloud

LOG: Final = logging.getLogger(__name__)
INTERVAL: Final = 0.1  # seconds in which what comes of a stream is put together
MOST_EVENTS: Final = 2000
MOST_FILTERS: Final = 2
RETRIES: Final = (0.3, 0.6)  # seconds before the tries after the first, as for asynchronous events here
WORKERS: Final = 4

Events = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Source:
    """Whose events go where."""

    account_id: str
    region: str
    destination: str
    filter_name: str
    group: str
    stream: str


@dataclass(frozen=True, slots=True)
class Parcel:
    """A payload on its way; `tries` that failed, and not before when the next one is due."""

    destination: str
    account_id: str
    document: dict[str, Any] = field(hash=False)
    tries: int = 0
    due: float = 0.0


class Subscriptions:
    """Takes events and delivers them, for each function one parcel at a time."""

    def __init__(self, invoke: Callable[[Call], bool]) -> None:
        self._invoke = invoke
        self._lock = threading.Lock()
        self._events: defaultdict[Source, Events] = defaultdict(list)
        self._parcels: defaultdict[str, list[Parcel]] = defaultdict(list)
        self._busy: set[str] = set()
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="tidegate-subscription")

    def take(self, source: Source, events: Events) -> None:
        """Take a stream's new events."""
        with self._lock:
            self._events[source] += events

    def greet(self, account_id: str, destination: str) -> None:
        """Send the message that carries no events, by which a destination is looked at."""
        message = "CWL CONTROL MESSAGE: Checking health of destination Lambda."
        document = {
            "messageType": "CONTROL_MESSAGE",
            "owner": "CloudwatchLogs",
            "logGroup": "",
            "logStream": "",
            "subscriptionFilters": [],
            "logEvents": [{"id": "", "timestamp": int(time.time() * 1000), "message": message}],
        }
        with self._lock:
            self._parcels[destination].append(Parcel(destination, account_id, document))

    def deliver(self) -> None:
        """Start to deliver what is due, where nothing is being delivered already."""
        now = time.monotonic()
        with self._lock:
            for source, events in self._events.items():
                parcels = self._parcels[source.destination]
                for first in range(0, len(events), MOST_EVENTS):
                    parcels.append(_parcel(source, events[first : first + MOST_EVENTS]))
            self._events.clear()
            ready = [
                destination
                for destination, parcels in self._parcels.items()
                if destination not in self._busy and any(parcel.due <= now for parcel in parcels)
            ]
            self._busy |= set(ready)
        for destination in ready:
            self._workers.submit(self._drain, destination)

    def close(self) -> None:
        """Give up what waits."""
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _drain(self, destination: str) -> None:
        now = time.monotonic()
        with self._lock:
            waiting = self._parcels.pop(destination, [])
            due = [parcel for parcel in waiting if parcel.due <= now]
            self._parcels[destination] = [parcel for parcel in waiting if parcel.due > now]
        try:
            for parcel in due:
                self._deliver(parcel)
        finally:
            with self._lock:
                self._busy.discard(destination)

    def _deliver(self, parcel: Parcel) -> None:
        region = parcel.destination.split(":")[3]
        packed = gzip.compress(json.dumps(parcel.document, separators=(",", ":")).encode(), 1)
        payload = json.dumps({"awslogs": {"data": base64.b64encode(packed).decode()}}).encode()
        try:
            delivered = self._invoke(Call(parcel.account_id, region, parcel.destination, payload))
        except LambdaClientError as error:
            LOG.info("%s does not take log events: %s", parcel.destination, error)
            delivered = False
        if delivered:
            return
        if parcel.tries == len(RETRIES):
            LOG.error("log events of %s are lost to %s", parcel.document["logGroup"], parcel.destination)
            return
        due = time.monotonic() + RETRIES[parcel.tries]
        with self._lock:
            self._parcels[parcel.destination].append(replace(parcel, tries=parcel.tries + 1, due=due))


def _parcel(source: Source, events: Events) -> Parcel:
    document = {
        "messageType": "DATA_MESSAGE",
        "owner": source.account_id,
        "logGroup": source.group,
        "logStream": source.stream,
        "subscriptionFilters": [source.filter_name],
        "logEvents": [{**event, "id": str(event["id"])} for event in events],
    }
    return Parcel(source.destination, source.account_id, document)


def install(cloud: LocalCloud) -> None:
    """Let log groups deliver to functions, and hold what a subscription may be."""
    subscriptions = Subscriptions(_invoke)
    send = models.LogStream.__dict__["_send_log_events"]
    put = models.LogGroup.__dict__["put_subscription_filter"]

    def send_log_events(
        self: models.LogStream, service: str, destination_arn: str, filter_name: str, log_events: Events
    ) -> None:
        if service != "lambda":
            send(self, service, destination_arn, filter_name, log_events)
            return
        check = read(self.log_group.subscription_filters[filter_name].filter_pattern or "")
        events = [event for event in log_events if check(event["message"])]
        if events:
            place = (self.account_id, self.region, destination_arn, filter_name)
            subscriptions.take(Source(*place, self.log_group.name, self.log_stream_name), events)

    def put_subscription_filter(
        self: models.LogGroup, filter_name: str, filter_pattern: str, destination_arn: str, role_arn: str
    ) -> None:
        read(filter_pattern or "")
        known = self.subscription_filters.pop(filter_name, None)
        if len(self.subscription_filters) >= MOST_FILTERS:
            raise LimitExceededException
        put(self, filter_name, filter_pattern, destination_arn, role_arn)
        if known is None and ":lambda:" in destination_arn:
            subscriptions.greet(self.account_id, destination_arn)

    cloud.patch(models.LogStream, "_send_log_events", send_log_events)
    cloud.patch(models.LogGroup, "put_subscription_filter", put_subscription_filter)
    cloud.every(INTERVAL, "subscriptions", subscriptions.deliver)
    cloud.on_stop(subscriptions.close)


def _invoke(call: Call) -> bool:
    """Run a function to its end; False where it failed."""
    _, outcome = functions.compute().invoker.run(call)
    return outcome.status == "success"
