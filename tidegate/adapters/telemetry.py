"""Fast telemetry of a rollout: log subscriptions while it runs, and what they collected.

Each of a rollout's log groups is subscribed to the stage's collecting function, which finds what to do in
the stage's table. Whatever cannot be watched that way says why, and is left to CloudWatch's metrics. Arming
and disarming may be repeated from anywhere: what is to be removed is written down before it is made. Two
subscriptions fit on a log group, and five a second can be made or removed in an account (Amazon CloudWatch
Logs User Guide, "CloudWatch Logs quotas"), which the client's own limiter waits for.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from tidegate.adapters import pacing
from tidegate.adapters.collection import watch_key
from tidegate.domain import log_patterns
from tidegate.domain.attempts import batch_length, identify, split_key
from tidegate.domain.collected import PATIENCE, Rules, collect
from tidegate.domain.observing import SPREAD, Arming, Read, Terms, Thresholds, find_weight
from tidegate.domain.tallies import Given, give
from tidegate.domain.telemetry_names import collector, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_logs import CloudWatchLogsClient

    from tidegate.adapters.clients import StageClients
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.observing import Profile
    from tidegate.domain.rollouts import RollingFunction

MOST: Final = 500  # functions that one call arms: a hundred seconds at five a second
MOST_AWAY: Final = 250  # and that one call disarms: fifty seconds
WATCH_DAYS: Final = 30
SETTLED: Final = 240.0  # seconds on AWS after which no delivery is repeated any more
READERS: Final = 8
SLOTS: Final = 2  # subscription filters that fit on a log group
TAKEN: Final = "both subscriptions of the log group {group} are taken"
REFUSED: Final = "CloudWatch Logs does not deliver from {group}: {code}: {message}"
# What the same call may be answered otherwise later; every other refusal is the log group's, and stays.
PASSING: Final = frozenset(
    {
        "ExpiredTokenException",
        "OperationAbortedException",
        "RequestLimitExceeded",
        "ServiceUnavailableException",
        "ThrottlingException",
    }
)
SERVER_ERROR: Final = 500


def filter_name(ref: ReleaseRef, stage: str) -> str:
    """The name of a rollout's subscription filters, one for a log group."""
    return f"tidegate-{ref.service}-{stage}"


def rollout_key(ref: ReleaseRef) -> str:
    """The partition of what is armed for a rollout."""
    return f"rollout#{ref.service}#{ref.id}"


def shares_key(ref: ReleaseRef, function: str) -> str:
    """The partition of what was collected of a function in a rollout."""
    return f"{ref.service}#{ref.id}#{function}"


def arm(
    stage: StageClients,
    ref: ReleaseRef,
    functions: Sequence[RollingFunction],
    profiles: Mapping[str, Profile],
    mark: str,
    now: datetime,
    pace: float,
) -> tuple[Arming, ...]:
    """Watch these functions, up to MOST in a call: what was not come to is not in the answer; call again.

    `mark` is the failure mark. A function that cannot be watched is answered with the reason.
    """
    done = {arming.function: arming for arming in read_armings(stage, ref)}
    decided = [arming for arming in done.values() if arming.armed or arming.reason]
    known = {arming.function for arming in decided}
    missing = [function for function in functions if function.logical_id not in known][:MOST]
    fault = _find_fault(mark)
    watching = _Watching(stage, ref, mark, batch_length(pace), now)
    for function in missing:
        profile = profiles[function.logical_id]
        decided.append(watching.arm(function, profile.timeout, fault or profile.reason))
    return tuple(decided)


def _find_fault(mark: str) -> str:
    try:
        log_patterns.read(mark)
    except log_patterns.InvalidPattern as error:
        return f"the failure mark is read by CloudWatch Logs only: {error}"
    return ""


class _Watching:
    """Arms one rollout's functions."""

    def __init__(self, stage: StageClients, ref: ReleaseRef, mark: str, length: int, now: datetime) -> None:
        self._stage = stage
        self._ref = ref
        self._mark = mark
        self._length = length
        self._expires = str(round((now + timedelta(days=WATCH_DAYS)).timestamp()))

    def arm(self, function: RollingFunction, timeout: int, reason: str) -> Arming:
        """Note it, so that disarming finds it; watch; subscribe; note the outcome."""
        arming = Arming(function=function.logical_id, log_group=function.log_group, timeout=timeout)
        if not reason:
            self._note(arming)
            self._watch(function)
            reason = self._subscribe(function.log_group)
        arming = arming.model_copy(update={"armed": not reason, "reason": reason})
        self._note(arming)
        return arming

    def _note(self, arming: Arming) -> None:
        body = {"body": {"S": arming.model_dump_json()}}
        self._put(rollout_key(self._ref), arming.function, body)

    def _watch(self, function: RollingFunction) -> None:
        fields = {
            "function": {"S": function.name},
            "versions": {"SS": [function.stable, function.canary]},
            "mark": {"S": self._mark},
            "length": {"N": str(self._length)},
        }
        # What an earlier release of the service left behind would be collected too, and keep the filter.
        for other in _find_others(self._stage, self._ref, function.log_group):
            _delete(self._stage, {"pk": watch_key(function.log_group), "sk": other})
        self._put(watch_key(function.log_group), shares_key(self._ref, function.logical_id), fields)

    def _put(self, pk: str, sk: str, fields: dict[str, Any]) -> None:
        item = {"pk": {"S": pk}, "sk": {"S": sk}, "expires": {"N": self._expires}, **fields}
        self._stage.tables.put_item(TableName=table(self._stage.target.name), Item=item)

    def _subscribe(self, group: str) -> str:
        """Subscribe a log group, which is made where no request has been yet; gives why it cannot be."""
        target = self._stage.target
        arn = f"arn:aws:lambda:{target.region}:{target.account}:function:{collector(target.name)}"
        name = filter_name(self._ref, target.name)
        try:
            found = _read_filters(self._stage.logs, group)
            if name not in found and len(found) >= SLOTS:
                return TAKEN.format(group=group)
            _put_filter(self._stage.logs, group, name, arn)
        except ClientError as error:
            return _explain(error, group)
        return ""


def _code(error: ClientError) -> str:
    return error.response["Error"]["Code"]


def _read_filters(client: CloudWatchLogsClient, group: str) -> set[str]:
    """The names of a log group's filters. The group is made where no request has been yet.

    Asked for beforehand, since a client takes the answer that the limit is reached for one to try again.
    """
    try:
        answer = client.describe_subscription_filters(logGroupName=group)
    except ClientError as error:
        if _code(error) != "ResourceNotFoundException":
            raise
        _create_group(client, group)
        return set()
    return {one["filterName"] for one in answer["subscriptionFilters"]}


def _explain(error: ClientError, group: str) -> str:
    """Why a log group cannot be subscribed; the error itself where that may pass."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if _code(error) in PASSING or status >= SERVER_ERROR:
        raise error
    if _code(error) == "LimitExceededException":
        return TAKEN.format(group=group)
    message = error.response["Error"].get("Message", "")
    return REFUSED.format(group=group, code=_code(error), message=message)


def _put_filter(client: CloudWatchLogsClient, group: str, name: str, arn: str) -> None:
    client.put_subscription_filter(logGroupName=group, filterName=name, filterPattern="", destinationArn=arn)


def _create_group(client: CloudWatchLogsClient, group: str) -> None:
    try:
        client.create_log_group(logGroupName=group)
    except ClientError as error:
        if _code(error) != "ResourceAlreadyExistsException":
            raise


def read_armings(stage: StageClients, ref: ReleaseRef) -> tuple[Arming, ...]:
    """What is armed for a rollout, and what could not be; nothing where nothing was tried."""
    items = _items(stage.tables, table(stage.target.name), rollout_key(ref))
    return tuple(Arming.model_validate_json(item["body"]["S"]) for item in items)


def disarm(stage: StageClients, ref: ReleaseRef) -> bool:
    """Take back what was armed for a rollout, wholly or by half; False where there is more than MOST_AWAY.

    A filter that a later release of the service goes by already stays. Each log group is done with before the
    next one, so that a call which dies has got on.
    """
    armings = sorted(read_armings(stage, ref), key=lambda arming: arming.log_group)
    for group, found in groupby(armings[:MOST_AWAY], key=lambda arming: arming.log_group):
        own = list(found)
        shared = any(arming.log_group == group for arming in armings[MOST_AWAY:])
        watched = any(not arming.reason for arming in own)
        if watched and not shared and not _find_others(stage, ref, group):
            _delete_filter(stage.logs, group, filter_name(ref, stage.target.name))
        for arming in own:
            _delete(stage, {"pk": watch_key(group), "sk": shares_key(ref, arming.function)})
            _delete(stage, {"pk": rollout_key(ref), "sk": arming.function})
    return len(armings) <= MOST_AWAY


def _delete_filter(client: CloudWatchLogsClient, group: str, name: str) -> None:
    try:
        client.delete_subscription_filter(logGroupName=group, filterName=name)
    except ClientError as error:
        if _code(error) != "ResourceNotFoundException":
            raise


def _find_others(stage: StageClients, ref: ReleaseRef, group: str) -> list[str]:
    """The watches of a log group by other releases of the service."""
    items = _items(stage.tables, table(stage.target.name), watch_key(group))
    keys = [item["sk"]["S"] for item in items]
    own = f"{ref.service}#{ref.id}#"
    return [key for key in keys if key.startswith(f"{ref.service}#") and not key.startswith(own)]


def _delete(stage: StageClients, key: dict[str, str]) -> None:
    client = stage.tables
    name = table(stage.target.name)
    client.delete_item(TableName=name, Key={part: {"S": value} for part, value in key.items()})


def read(
    stage: StageClients,
    ref: ReleaseRef,
    functions: Sequence[tuple[RollingFunction, Arming]],
    shifts: Sequence[tuple[float, datetime]],
    cursors: Mapping[str, Read],
    now: datetime,
    terms: Terms,
) -> dict[str, Given]:
    """What is new of each function since its cursor; one query for a function, side by side."""
    if not shifts:
        return {}
    writing, spread = len(functions) * pacing.EACH, SPREAD * terms.pace
    weigh = partial(find_weight, shifts, writing=writing, spread=spread)

    def look(pair: tuple[RollingFunction, Arming]) -> Given:
        function, arming = pair
        rules = Rules(
            function=function.logical_id,
            stable=function.stable,
            canary=function.canary,
            length=batch_length(terms.pace),
            timeout=arming.timeout,
            pace=terms.pace,
            thresholds=terms.thresholds.get(function.logical_id, Thresholds()),
            weigh=weigh,
            allowance=terms.allowance,
            left_out=frozenset(map(identify, terms.left_out)),
        )
        cursor = cursors.get(function.logical_id, Read())
        since = _since(shifts[0][1], cursor, rules, now)
        shares = _shares(stage, shares_key(ref, function.logical_id), since, now)
        return give(collect(shares), rules, cursor, since, round(now.timestamp() * 1000))

    with ThreadPoolExecutor(READERS) as pool:
        found = pool.map(look, functions)
        return {function.logical_id: given for (function, _), given in zip(functions, found, strict=True)}


def _since(first: datetime, cursor: Read, rules: Rules, now: datetime) -> int:
    """From when on (ms) to read: what is not closed, and what a request may still be late for.

    That is the patience with it and the repetition of a delivery ago, but never before the first shift.
    """
    horizon = now - timedelta(seconds=max(rules.patience, PATIENCE * rules.pace) + SETTLED * rules.pace)
    begun = round(first.timestamp() * 1000)
    start = max(begun, min(round(horizon.timestamp() * 1000), cursor.closed or begun))
    return start // rules.length * rules.length


def _shares(
    stage: StageClients, key: str, since: int, now: datetime
) -> Iterator[tuple[int, str, str, dict[str, list[bytes]]]]:
    between = (f"{since:013d}", f"{round(now.timestamp() * 1000):013d}$")
    for item in _items(stage.tables, table(stage.target.name), key, between):
        parts = {kind: value["BS"] for kind, value in item.items() if "BS" in value}
        yield (*split_key(item["sk"]["S"]), parts)


def _items(
    client: DynamoDBClient, name: str, key: str, between: tuple[str, str] | None = None
) -> Iterator[dict[str, Any]]:
    condition, values = "pk = :pk", {":pk": {"S": key}}
    if between is not None:
        condition += " AND sk BETWEEN :from AND :to"
        values |= {":from": {"S": between[0]}, ":to": {"S": between[1]}}
    pages = client.get_paginator("query").paginate(
        TableName=name,
        KeyConditionExpression=condition,
        ExpressionAttributeValues=values,
        ConsistentRead=True,
    )
    for page in pages:
        yield from page["Items"]
