"""Polling the shards of a DynamoDB or Kinesis stream: in order, a failed batch again until it is given up.

https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
"""

from __future__ import annotations

import itertools
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from moto.dynamodb import dynamodb_backends
from moto.kinesis.models import kinesis_backends

from tidegate.local.compute.batches import failed_items, wanted
from tidegate.local.compute.errors import TooManyRequestsException
from tidegate.local.compute.invoker import Call

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.local.compute.invoker import Invoker
    from tidegate.local.compute.sandbox import Outcome

POLL_SECONDS: Final = 0.1
RETRY_SECONDS: Final = 0.3


class StreamSource:
    """The poller of one mapping; `give_up` gets a destination's ARN and a record of what failed.

    `age` is told how old (seconds) the last record of each batch is when the function gets it.
    """

    def __init__(
        self,
        mapping: Any,  # noqa: ANN401
        invoker: Invoker,
        going: Callable[[], bool],
        give_up: Callable[[str, dict[str, Any]], None],
        age: Callable[[float], None],
    ) -> None:
        self._mapping = mapping
        self._invoker = invoker
        self._going = going
        self._give_up, self._age = give_up, age
        parts = mapping.event_source_arn.split(":")
        self._service, self._region, self._account = parts[2:5]
        self._name = mapping.event_source_arn.split("/")[1]
        self._read: dict[int, int] = {}
        if mapping.starting_position == "LATEST":
            self._read = {id(shard): len(records) for shard, _, records in self._shards()}

    def run(self) -> None:
        """Poll until it should not go on."""
        while self._going():
            moved = [self._advance(*shard) for shard in self._shards() if self._mapping.enabled]
            if not any(moved):
                time.sleep(POLL_SECONDS)

    def _shards(self) -> list[tuple[Any, str, Any]]:
        """List (shard, its id, its records in order) of the stream, none if it is gone."""
        if self._service == "dynamodb":
            table = dynamodb_backends[self._account][self._region].tables.get(self._name)
            shard = table.stream_shard if table else None
            return [(shard, shard.id, shard.items)] if shard else []
        stream = kinesis_backends[self._account][self._region].streams.get(self._name)
        return [(shard, shard.shard_id, shard.records) for shard in stream.shards.values()] if stream else []

    def _advance(self, shard: Any, shard_id: str, records: Any) -> bool:  # noqa: ANN401
        start = self._read.get(id(shard), 0)
        if len(records) <= start:
            return False
        taken = list(
            itertools.islice(iter(records.values() if isinstance(records, dict) else records), start, None)
        )
        batch = [self._record(record, shard_id) for record in taken[: self._mapping.batch_size]]
        part = "data" if self._service == "kinesis" else "dynamodb"
        self._settle(
            [record for record in batch if wanted(self._mapping.filter_criteria, record, part)], shard_id
        )
        self._read[id(shard)] = start + len(batch)
        return True

    def _settle(self, batch: list[dict[str, Any]], shard_id: str) -> None:
        """Run a batch until it is done or given up; a part that is done is not run again."""
        tries, most = 0, self._mapping.max_retry_attempts
        begun = time.time()
        while batch and self._going():
            outcome = self._invoke(batch)
            numbers = [self._number(record) for record in batch]
            partial = "ReportBatchItemFailures" in (self._mapping.function_response_types or [])
            failed = failed_items(outcome, numbers, partial=partial)
            if not failed:
                return
            batch = batch[min(numbers.index(number) for number in failed) :]
            tries += outcome is not None
            if self._spent(tries, most, begun):
                self._report(batch, shard_id, tries)
                return
            if self._mapping.bisect_on_error and len(batch) > 1:
                middle = len(batch) // 2
                self._settle(batch[:middle], shard_id)
                batch = batch[middle:]
            else:
                time.sleep(RETRY_SECONDS)

    def _spent(self, tries: int, most: int | None, begun: float) -> bool:
        age = self._mapping.max_record_age
        return (most is not None and most >= 0 and tries > most) or (
            age is not None and age >= 0 and time.time() - begun > age
        )

    def _invoke(self, batch: list[dict[str, Any]]) -> Outcome | None:
        payload = json.dumps({"Records": batch}, default=str).encode()
        self._age(time.time() - _written(batch[-1]))
        try:
            return self._invoker.run(Call(self._account, self._region, self._mapping.function_arn, payload))[
                1
            ]
        except TooManyRequestsException:
            return None

    def _number(self, record: dict[str, Any]) -> str:
        return str(record[self._service].get("SequenceNumber") or record[self._service].get("sequenceNumber"))

    def _report(self, batch: list[dict[str, Any]], shard_id: str, tries: int) -> None:
        target = ((self._mapping.destination_config or {}).get("OnFailure") or {}).get("Destination")
        if target is None:
            return
        info = "KinesisBatchInfo" if self._service == "kinesis" else "DDBStreamBatchInfo"
        details = {
            "shardId": shard_id,
            "startSequenceNumber": self._number(batch[0]),
            "endSequenceNumber": self._number(batch[-1]),
            "batchSize": len(batch),
            "streamArn": self._mapping.event_source_arn,
        }
        context = {
            "functionArn": self._mapping.function_arn,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": tries,
        }
        moment = datetime.now(UTC).isoformat()
        self._give_up(
            target, {"version": "1.0", "timestamp": moment, "requestContext": context, info: details}
        )

    def _record(self, record: Any, shard_id: str) -> dict[str, Any]:  # noqa: ANN401
        origin = {"awsRegion": self._region, "eventSourceARN": self._mapping.event_source_arn}
        if self._service == "dynamodb":
            document = record.to_json()
            change = dict(document["dynamodb"])
            change["ApproximateCreationDateTime"] = change["ApproximateCreationDateTime"].timestamp()
            return {**document, **origin, "dynamodb": change}
        arrived = {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record.partition_key,
            "sequenceNumber": str(record.sequence_number),
            "data": record.data,
            "approximateArrivalTimestamp": round(record.created_at, 3),
        }
        return {
            **origin,
            "kinesis": arrived,
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{shard_id}:{record.sequence_number}",
            "eventName": "aws:kinesis:record",
        }


def _written(record: dict[str, Any]) -> float:
    """When a record came into its stream, in Unix seconds."""
    if "kinesis" in record:
        return float(record["kinesis"]["approximateArrivalTimestamp"])
    return float(record["dynamodb"]["ApproximateCreationDateTime"])
