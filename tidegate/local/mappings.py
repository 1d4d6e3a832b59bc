"""The extension that makes event source mappings poll: queues, DynamoDB streams and Kinesis streams.

moto calls the function from inside the call that sends a message; here each mapping has a poller of its
own, and what it would do otherwise than Lambda is refused when the mapping is made.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from moto.awslambda import models, responses
from moto.awslambda.exceptions import InvalidParameterValueException
from moto.dynamodbstreams import dynamodbstreams_backends
from moto.kinesis.models import kinesis_backends
from moto.sqs import models as queues

from tidegate.local import functions
from tidegate.local.compute.destinations import Destinations
from tidegate.local.compute.queue_source import QueueSource
from tidegate.local.compute.stream_source import StreamSource
from tidegate.local.compute.telemetry import Subject
from tidegate.local.compute.versions import ResourceConflictException, split_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.local.cloud import LocalCloud

LOG: Final = logging.getLogger(__name__)
ABSENT: Final = ("TumblingWindowInSeconds", "StartingPositionTimestamp", "ProvisionedPollerConfig")
ORIGINAL: dict[str, Any] = {}


def install(cloud: LocalCloud) -> None:
    """Replace moto's inline delivery by pollers. Needs the functions extension."""
    backend = models.LambdaBackend
    destinations = Destinations(cloud)
    ORIGINAL["start"] = lambda mapping: _start(cloud, destinations, mapping)
    ORIGINAL["update"] = cloud.patch(backend, "update_event_source_mapping", update)
    cloud.patch(backend, "create_event_source_mapping", create)
    cloud.patch(backend, "list_event_source_mappings", list_matching)
    cloud.patch(responses.LambdaResponse, "list_event_source_mappings", answer_list)
    ORIGINAL["delete_message"] = cloud.patch(queues.Queue, "delete_message", delete_message)
    ORIGINAL["receive_message"] = cloud.patch(queues.SQSBackend, "receive_message", receive_message)


def function_arn(backend: models.LambdaBackend, text: str) -> str:
    """Give the ARN of a function as it was named, with its qualifier; raises ResourceNotFoundException."""
    name, qualifier = split_name(text)
    backend.get_function(name, qualifier)
    arn = f"arn:{backend.partition}:lambda:{backend.region_name}:{backend.account_id}:function:{name}"
    return f"{arn}:{qualifier}" if qualifier else arn


def create(self: models.LambdaBackend, spec: dict[str, Any]) -> models.EventSourceMapping:
    """Make a mapping and start its poller. Raises Lambda's errors, and one for what is absent here."""
    for name in ("EventSourceArn", "FunctionName"):
        if not spec.get(name):
            raise InvalidParameterValueException(
                f"Missing {name}; the local cloud has mappings with both only"
            )
    for name in ABSENT:
        if spec.get(name):
            raise InvalidParameterValueException(
                f"The local cloud does not have {name} of event source mappings"
            )
    source, arn = spec["EventSourceArn"], function_arn(self, spec["FunctionName"])
    _check_source(self, source, arn)
    if any((each.event_source_arn, each.function_arn) == (source, arn) for each in _all(self)):
        raise ResourceConflictException(f"A mapping of {source} to {arn} exists already")
    numbers = {name: int(spec[name]) for name in _NUMBERS if spec.get(name) is not None}
    place = {"RegionName": self.region_name, "AccountId": self.account_id, "FunctionArn": arn}
    mapping = models.EventSourceMapping(
        {**spec, **numbers, **place, "Enabled": _truth(spec.get("Enabled", True))}
    )
    self._event_source_mappings[mapping.uuid] = mapping
    ORIGINAL["start"](mapping)
    return mapping


_NUMBERS: Final = (
    "BatchSize", "MaximumBatchingWindowInSeconds", "MaximumRetryAttempts", "MaximumRecordAgeInSeconds",
    "ParallelizationFactor",
)  # fmt: skip


def _truth(value: Any) -> bool:  # noqa: ANN401
    return str(value).lower() == "true"


def _all(backend: models.LambdaBackend) -> list[Any]:
    return list(backend._event_source_mappings.values())


def _check_source(backend: models.LambdaBackend, source: str, arn: str) -> None:
    account, region = backend.account_id, backend.region_name
    service = source.split(":")[2] if source.startswith("arn:") else "a source that is no ARN"
    if service == "sqs":
        queue = queues.sqs_backends[account][region].queues.get(source.rsplit(":", 1)[1])
        if queue is None:
            raise InvalidParameterValueException(f"The queue {source} does not exist")
        timeout = int(backend.get_function(arn).timeout)
        if int(queue.visibility_timeout) < timeout:
            raise InvalidParameterValueException(
                f"Queue visibility timeout: {queue.visibility_timeout} seconds is less than "
                f"Function timeout: {timeout} seconds"
            )
        return
    if service == "dynamodb":
        known = {stream["StreamArn"] for stream in dynamodbstreams_backends[account][region].list_streams()}
    elif service == "kinesis":
        known = {stream.arn for stream in kinesis_backends[account][region].streams.values()}
    else:
        raise InvalidParameterValueException(f"The local cloud does not poll {service} ({source})")
    if source not in known:
        raise InvalidParameterValueException(f"The stream {source} does not exist")


def _start(cloud: LocalCloud, destinations: Destinations, mapping: Any) -> None:  # noqa: ANN401
    backend = models.lambda_backends[mapping.account_id][mapping.region]

    def going() -> bool:
        return not cloud.stopping.is_set() and backend._event_source_mappings.get(mapping.uuid) is mapping

    invoker = functions.compute().invoker
    source: QueueSource | StreamSource
    if ":sqs:" in mapping.event_source_arn:
        source = QueueSource(mapping, invoker, going, cloud.pace)
    else:
        source = StreamSource(mapping, invoker, going, destinations.send, _age(mapping))
    run = _guarded(source.run, going)
    threading.Thread(target=run, name=f"tidegate-mapping-{mapping.uuid}", daemon=True).start()


def _age(mapping: Any) -> Callable[[float], None]:  # noqa: ANN401
    """Tells CloudWatch how old the records are that a stream's function gets."""

    def tell(seconds: float) -> None:
        _, _, _, region, account, _, name, *qualifier = mapping.function_arn.split(":")
        subject = Subject(account, region, name, ":".join((name, *qualifier)))
        age = {"IteratorAge": max(0.0, seconds * 1000)}
        functions.compute().telemetry.count(subject, time.time(), age)

    return tell


def _guarded(run: Callable[[], None], going: Callable[[], bool]) -> Callable[[], None]:
    def repeat() -> None:
        while going():
            try:
                run()
            except Exception:
                LOG.exception("an event source mapping failed and goes on")

    return repeat


def update(self: models.LambdaBackend, uuid: str, spec: dict[str, Any]) -> models.EventSourceMapping | None:
    """Change a mapping; its poller goes on with what is new."""
    numbers = {name: int(spec[name]) for name in _NUMBERS if spec.get(name) is not None}
    enabled = {"Enabled": _truth(spec["Enabled"])} if "Enabled" in spec else {}
    mapping = ORIGINAL["update"](self, uuid, {**spec, **numbers, **enabled})
    if mapping is not None and spec.get("FunctionName"):
        mapping.function_arn = function_arn(self, spec["FunctionName"])
        mapping.function_name = spec["FunctionName"]
    return mapping


def list_matching(
    self: models.LambdaBackend, event_source_arn: str | None = None, function_name: str | None = None
) -> list[Any]:
    """List the mappings of a source, of a function, of both, or all."""
    arn = function_arn(self, unquote(function_name)) if function_name else None
    return [
        mapping
        for mapping in _all(self)
        if event_source_arn in {None, "", mapping.event_source_arn} and arn in {None, mapping.function_arn}
    ]


def answer_list(self: Any) -> tuple[int, dict[str, Any], str]:  # noqa: ANN401
    """Answer ListEventSourceMappings, in pages of 100."""
    source, name, marker = (
        (self.querystring.get(key) or [None])[0] for key in ("EventSourceArn", "FunctionName", "Marker")
    )
    rows = [mapping.get_configuration() for mapping in self.backend.list_event_source_mappings(source, name)]
    start = int(marker or 0)
    page: dict[str, Any] = {"EventSourceMappings": rows[start : start + 100]}
    if start + 100 < len(rows):
        page["NextMarker"] = str(start + 100)
    return 200, {}, json.dumps(page)


def delete_message(self: Any, receipt_handle: str) -> None:  # noqa: ANN401
    """Delete a message while nobody adds one, which moto would lose."""
    with self._messages_lock:
        ORIGINAL["delete_message"](self, receipt_handle)


def receive_message(
    self: queues.SQSBackend,
    queue_name: str,
    count: int,
    wait_seconds_timeout: int,
    visibility_timeout: int,
    message_attribute_names: list[str] | None = None,
) -> list[Any]:
    """Receive messages, each by one receiver only, which moto does not see to when several ask at once."""
    queue = self.get_queue(queue_name)
    limit = time.monotonic() + float(wait_seconds_timeout or 0)
    while True:
        with queue._messages_lock:
            found: list[Any] = ORIGINAL["receive_message"](
                self, queue_name, count, 0, visibility_timeout, message_attribute_names
            )
        left = limit - time.monotonic()
        if found or left <= 0:
            return found
        queue.wait_for_messages(min(left, 0.5))
        time.sleep(0.01)
