"""The ledger in DynamoDB: one table, keys `pk` and `sk`, one module that knows their shapes.

Every write is conditional, so that a task which runs twice, or two at once, leave what one would have left.
Condition expressions: Amazon DynamoDB Developer Guide, "Condition expressions".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from tidegate.domain.errors import ClaimLost
from tidegate.domain.ledger import Claim, ClaimState, Entry, Outcome, Release

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient

    from tidegate.domain.identity import ReleaseRef

CONDITION_FAILED: Final = "ConditionalCheckFailedException"
SERVICES: Final = "services"


def release_sort_key(ref: ReleaseRef) -> str:
    """Releases sort by the time that they were opened at."""
    return f"release#{ref.opened_at.isoformat()}#{ref.id}"


class Ledger:
    """Reads and writes of one ledger table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def append(self, entry: Entry) -> bool:
        """Add an entry; False where an entry of that key stands already (the task ran before)."""
        sk = f"entry#{entry.release_id}#{entry.key}"
        return self._put_new(f"service#{entry.service}", sk, entry.model_dump_json())

    def entries(self, service: str, release_id: str) -> list[Entry]:
        """All entries of a release, by time."""
        bodies = self._query(f"service#{service}", f"entry#{release_id}#")
        return sorted((Entry.model_validate_json(body) for body in bodies), key=lambda entry: entry.at)

    def open_release(self, release: Release) -> None:
        """Record a release (and its service) as opened; a second time changes nothing."""
        self._put_new(SERVICES, release.ref.service, "{}")
        key = release_sort_key(release.ref)
        self._put_new(f"service#{release.ref.service}", key, release.model_dump_json())

    def close_release(
        self, ref: ReleaseRef, outcome: Outcome, reason: str, at: datetime, *, under: ReleaseRef | None
    ) -> Release:
        """Record how a release ended; a rollback after promotion replaces the outcome.

        `under` is who holds the claim, None where the release never had it; see `put_under`.
        """
        release = self.release(ref)
        closed = release.model_copy(update={"outcome": outcome, "reason": reason, "closed_at": at})
        key, body = release_sort_key(ref), closed.model_dump_json()
        if under is None:
            self._put(f"service#{ref.service}", key, body)
        else:
            self.put_under(under, key, body)
        return closed

    def release(self, ref: ReleaseRef) -> Release:
        """The record of one release."""
        body = self._get(f"service#{ref.service}", release_sort_key(ref))
        if body is None:
            message = f"the ledger has no release {ref.id} of {ref.service}"
            raise LookupError(message)
        return Release.model_validate_json(body)

    def releases(self, service: str) -> Iterator[Release]:
        """The service's releases, newest first, read page by page."""
        for body in self._query(f"service#{service}", "release#", newest_first=True):
            yield Release.model_validate_json(body)

    def services(self) -> list[str]:
        """The names of all services that ever had a release."""
        return [item["sk"]["S"] for item in self._items(SERVICES, "")]

    def put_document(self, service: str, key: str, body: str) -> None:
        """Replace a small named document of a service (`healthy#<stage>`, `approval#…`)."""
        self._put(f"service#{service}", key, body)

    def put_under(self, ref: ReleaseRef, key: str, body: str) -> None:
        """Replace a record that carries its writer's epoch; ClaimLost where a later epoch has written it.

        A look at the claim before the write leaves a gap: a handler that was held up in it, and whose release
        a rollback has taken back meanwhile, would write over what the rollback has recorded. So whoever holds
        a later epoch writes the record too, even where that changes nothing else.
        """
        item = {**self._item(f"service#{ref.service}", key, body), "epoch": {"N": str(ref.epoch)}}
        condition = {
            "ConditionExpression": "attribute_not_exists(epoch) OR epoch <= :epoch",
            "ExpressionAttributeValues": {":epoch": {"N": str(ref.epoch)}},
        }
        if not self._conditional(item, condition):
            message = f"release {ref.id} of {ref.service} no longer holds the claim; {key} has a later writer"
            raise ClaimLost(message)

    def replace_document(self, service: str, key: str, body: str, *, over: str | None) -> bool:
        """Put a small named document over `over` (None: over nothing); False where that no longer stands."""
        item = self._item(f"service#{service}", key, body)
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if over is not None:
            condition = {
                "ConditionExpression": "body = :body",
                "ExpressionAttributeValues": {":body": {"S": over}},
            }
        return self._conditional(item, condition)

    def reserve(self, service: str, key: str, body: str) -> str:
        """Put a small named document unless there is one; gives the one that stands there now."""
        if self._put_new(f"service#{service}", key, body):
            return body
        return self._get(f"service#{service}", key) or body

    def document(self, service: str, key: str) -> str | None:
        """A small named document of a service, or None."""
        return self._get(f"service#{service}", key)

    def read_claim(self, service: str) -> Claim | None:
        """The claim as it is now (a consistent read), or None where the service never had one."""
        body = self._get(f"service#{service}", "claim")
        return None if body is None else Claim.model_validate_json(body)

    def write_claim(self, claim: Claim, *, over: Claim | None) -> bool:
        """Replace the claim `over` by `claim`; False where it is no longer `over` that stands there."""
        standing = None if over is None else over.model_dump_json()
        return self.replace_document(claim.service, "claim", claim.model_dump_json(), over=standing)

    def check_epoch(self, ref: ReleaseRef) -> Claim:
        """The claim, where `ref` still holds it; ClaimLost otherwise."""
        claim = self.read_claim(ref.service)
        if claim is None or claim.state is ClaimState.FREE or claim.epoch != ref.epoch:
            holder = "nobody" if claim is None or claim.state is ClaimState.FREE else claim.holder
            message = f"release {ref.id} of {ref.service} no longer holds the claim; {holder} does"
            raise ClaimLost(message)
        return claim

    def free_claim(self, ref: ReleaseRef) -> None:
        """Free the claim, where `ref` holds it; already freed or taken by a later one is left alone."""
        claim = self.read_claim(ref.service)
        if claim is not None and claim.state is not ClaimState.FREE and claim.epoch == ref.epoch:
            self.write_claim(claim.model_copy(update={"state": ClaimState.FREE}), over=claim)

    @staticmethod
    def _item(pk: str, sk: str, body: str) -> dict[str, Any]:
        return {"pk": {"S": pk}, "sk": {"S": sk}, "body": {"S": body}}

    def _put(self, pk: str, sk: str, body: str) -> None:
        self._client.put_item(TableName=self._table, Item=self._item(pk, sk, body))

    def _put_new(self, pk: str, sk: str, body: str) -> bool:
        return self._conditional(
            self._item(pk, sk, body), {"ConditionExpression": "attribute_not_exists(pk)"}
        )

    def _conditional(self, item: dict[str, Any], condition: dict[str, Any]) -> bool:
        try:
            self._client.put_item(TableName=self._table, Item=item, **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] == CONDITION_FAILED:
                return False
            raise
        return True

    def _get(self, pk: str, sk: str) -> str | None:
        key = {"pk": {"S": pk}, "sk": {"S": sk}}
        answer = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return answer["Item"]["body"]["S"] if "Item" in answer else None

    def _query(self, pk: str, prefix: str, *, newest_first: bool = False) -> Iterator[str]:
        for item in self._items(pk, prefix, newest_first=newest_first):
            yield item["body"]["S"]

    def _items(self, pk: str, prefix: str, *, newest_first: bool = False) -> Iterator[dict[str, Any]]:
        values = {":pk": {"S": pk}}
        condition = "pk = :pk"
        if prefix:
            values[":prefix"] = {"S": prefix}
            condition += " AND begins_with(sk, :prefix)"
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ConsistentRead=True,
            ScanIndexForward=not newest_first,
        )
        for page in pages:
            yield from page["Items"]
