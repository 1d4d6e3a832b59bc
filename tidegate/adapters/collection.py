"""The stage's table of telemetry, for the collecting function: which log groups are watched, and shares.

Imported when an environment of that function starts, so it takes nothing that starts slowly. Every write
adds to sets, so a delivery that comes twice, or whose first half was written before a failure, leaves what
one would.
"""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tidegate.domain import log_patterns
from tidegate.domain.attempts import LARGEST, share_out, sort_key, thin_out
from tidegate.domain.log_lines import find_version, read_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from tidegate.domain.attempts import Share

WATCH_SECONDS: Final = 3.0  # how long an environment goes by what it read of a log group's watches
SHARE_DAYS: Final = 2
DAY: Final = 86_400
WRITE_UNIT: Final = 1024  # bytes of an item that one write unit covers


def watch_key(log_group: str) -> str:
    """The partition of a log group's watches."""
    return f"watch#{log_group}"


@dataclass(frozen=True, slots=True)
class Watch:
    """A function whose log is watched; `shares` is the partition of its shares, `length` of a batch in ms."""

    shares: str
    function: str
    versions: tuple[str, ...]
    mark: str
    length: int


class Collection:
    """Writes what deliveries of log events say; `clock` gives the time in seconds since 1970."""

    def __init__(self, client: DynamoDBClient, table: str, clock: Callable[[], float]) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self._watches: dict[str, tuple[float, tuple[Watch, ...]]] = {}
        self._sizes: dict[tuple[str, str], int] = {}

    def take(self, event: dict[str, Any]) -> int:
        """Take what CloudWatch Logs delivered, one stream's events; gives how many shares were written.

        Source: Amazon CloudWatch Logs User Guide, "Subscription filters with AWS Lambda".
        """
        document = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
        if document["messageType"] != "DATA_MESSAGE":
            return 0
        return sum(self._take(watch, document) for watch in self._find(document["logGroup"]))

    def _take(self, watch: Watch, document: dict[str, Any]) -> int:
        stream = document["logStream"]
        version = find_version(stream, watch.function)
        if version is None or version not in watch.versions:
            return 0
        found = read_lines(document["logEvents"], log_patterns.read(watch.mark))
        shares = share_out(found, watch.length, round(self._clock() * 1000))
        for batch, share in shares.items():
            self._add(watch.shares, sort_key(batch, version, stream), share)
        return len(shares)

    def _find(self, log_group: str) -> tuple[Watch, ...]:
        now = self._clock()
        until, found = self._watches.get(log_group, (0.0, ()))
        if until <= now:
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": watch_key(log_group)}},
                ConsistentRead=True,
            )
            found = tuple(_watch(item) for item in answer["Items"])
            # Where nothing is watched now, something may be from one moment to the next.
            self._watches[log_group] = (now + WATCH_SECONDS if found else 0.0, found)
        return found

    def _add(self, pk: str, sk: str, share: Share) -> None:
        share = thin_out(share, self._sizes.get((pk, sk), 0))
        parts = {
            "attempts": share.attempts,
            "starts": share.starts,
            "marks": share.marks,
            "lags": share.lags,
        }
        values: dict[str, Any] = {f":{key}": {"BS": sorted(part)} for key, part in parts.items() if part}
        if not values:
            return
        added = ", ".join(f"{key[1:]} {key}" for key in values)
        values[":expires"] = {"N": str(round(self._clock()) + SHARE_DAYS * DAY)}
        answer = self._client.update_item(
            TableName=self._table,
            Key={"pk": {"S": pk}, "sk": {"S": sk}},
            UpdateExpression=f"ADD {added} SET expires = :expires",
            ExpressionAttributeValues=values,
            ReturnConsumedCapacity="TOTAL",
        )
        # A write costs by the item's size: what it cost tells how large the item has become.
        units = float(answer.get("ConsumedCapacity", {}).get("CapacityUnits", 0))
        if units * WRITE_UNIT > LARGEST / 2:
            self._sizes[pk, sk] = round(units) * WRITE_UNIT


def _watch(item: dict[str, Any]) -> Watch:
    return Watch(
        shares=item["sk"]["S"],
        function=item["function"]["S"],
        versions=tuple(item["versions"]["SS"]),
        mark=item["mark"]["S"],
        length=int(item["length"]["N"]),
    )
