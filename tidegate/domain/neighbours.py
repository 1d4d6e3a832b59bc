"""The gauges of a rollout's functions: which metrics of them and of what stands around them are read.

Metrics and dimensions: AWS Lambda Developer Guide, "Types of metrics for Lambda functions" and "Monitoring
concurrency" (all by FunctionName; ClaimedAccountConcurrency without dimensions); Amazon SQS Developer Guide,
"Available CloudWatch metrics for Amazon SQS" (by QueueName, each minute while a queue is active, up to 15
minutes late after it was idle for six hours); Amazon API Gateway Developer Guide, "Amazon API Gateway
dimensions and metrics" (REST: 5XXError by ApiName, without non-ASCII characters, and Stage) and "Working with
metrics for HTTP APIs" (5xx by ApiId and Stage). May not read a template: that is `templates/surroundings.py`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pydantic import Field

from tidegate.domain.gauges import FLOORS, NEAR_LIMIT, Gauge, Guard, Metric, Reading
from tidegate.domain.identity import Frozen
from tidegate.domain.wording import list_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tidegate.domain.rollouts import RollingFunction

LAMBDA: Final = "AWS/Lambda"
QUEUES: Final = "AWS/SQS"
APIS: Final = "AWS/ApiGateway"


class Kind(StrEnum):
    """What stands beside a function."""

    QUEUE = "queue"
    DEAD_LETTERS = "dead letter queue"
    STREAM = "stream"
    REST_API = "REST API"
    HTTP_API = "HTTP API"
    DEAD_LETTER_TARGET = "dead letter target"
    DESTINATION = "destination"


class Neighbour(Frozen):
    """What stands beside a function (its logical id).

    name: as CloudWatch knows it. part: an API's stage. label: as people know it, where that is another name.
    """

    kind: Kind
    function: str
    name: str = ""
    part: str = ""
    label: str = ""


class Surroundings(Frozen):
    """What is known of all that stands around functions.

    reserved: executions by logical id. account: how many executions at once the account may have, if known.
    unread: what should have a gauge and has none, in sentences.
    """

    neighbours: tuple[Neighbour, ...] = ()
    reserved: dict[str, int] = Field(default_factory=dict)
    account: int | None = None
    unread: tuple[str, ...] = ()


def make_gauges(functions: Sequence[RollingFunction], around: Surroundings) -> tuple[Gauge, ...]:
    """The gauges of these functions; what several of them share is read once.

    Floors of ages are the same at any pace: what waits for a process to start waits for real.
    """
    own = [gauge for function in functions for gauge in _own(function, around)]
    rolling = {function.logical_id: function for function in functions}
    shared: dict[Neighbour, list[str]] = {}
    for one in around.neighbours:
        if one.function in rolling:
            shared.setdefault(one.model_copy(update={"function": ""}), []).append(one.function)
    for one, concerned in shared.items():
        if one.kind in _BESIDE:
            own += _beside(one, sorted(set(concerned)))
        else:
            own += [_after(one.kind, rolling[logical_id]) for logical_id in sorted(set(concerned))]
    own += _account(functions, around)
    return tuple(own)


def _metric(function: RollingFunction, name: str, stat: str = "Sum") -> Metric:
    """A metric of the whole function, by whatever name it was invoked."""
    return Metric(namespace=LAMBDA, name=name, dimensions=(("FunctionName", function.name),), stat=stat)


def _gauge(
    guard: Guard, reading: Reading, of: str, functions: Iterable[str], metric: Metric, most: float = 0
) -> Gauge:
    floor = NEAR_LIMIT * most if most else FLOORS[guard]
    return Gauge(
        guard=guard, reading=reading, of=of, functions=tuple(functions), metric=metric, floor=floor, most=most
    )


def _own(function: RollingFunction, around: Surroundings) -> Iterator[Gauge]:
    name = function.logical_id
    for guard, metric in ((Guard.THROTTLES, "Throttles"), (Guard.DROPPED_EVENTS, "AsyncEventsDropped")):
        yield _gauge(guard, Reading.TOTAL, name, (name,), _metric(function, metric))
    if most := around.reserved.get(name):
        at_once = _metric(function, "ConcurrentExecutions", "Maximum")
        yield _gauge(Guard.CONCURRENCY, Reading.LATEST, name, (name,), at_once, most)


def _account(functions: Sequence[RollingFunction], around: Surroundings) -> Iterator[Gauge]:
    """The account's concurrency, where a function has none of its own."""
    sharing = [one.logical_id for one in functions if one.logical_id not in around.reserved]
    if around.account and sharing:
        metric = Metric(namespace=LAMBDA, name="ClaimedAccountConcurrency", dimensions=(), stat="Maximum")
        yield _gauge(Guard.CONCURRENCY, Reading.LATEST, "the account", (), metric, around.account)


_AFTER: Final = {Kind.DEAD_LETTER_TARGET: "DeadLetterErrors", Kind.DESTINATION: "DestinationDeliveryFailures"}


def _after(kind: Kind, function: RollingFunction) -> Gauge:
    """What Lambda could not hand on; of a stream only that there is one is known, and how late it is read."""
    name = function.logical_id
    if kind is Kind.STREAM:
        metric = _metric(function, "IteratorAge", "Maximum")
        return _gauge(Guard.ITERATOR_AGE, Reading.LATEST, f"stream of {name}", (name,), metric)
    return _gauge(Guard.DEAD_LETTERS, Reading.TOTAL, name, (name,), _metric(function, _AFTER[kind]))


_BESIDE: Final = frozenset({Kind.QUEUE, Kind.DEAD_LETTERS, Kind.REST_API, Kind.HTTP_API})
_ERRORS: Final = {Kind.REST_API: ("5XXError", "ApiName"), Kind.HTTP_API: ("5xx", "ApiId")}


def _beside(one: Neighbour, functions: list[str]) -> Iterator[Gauge]:
    place = (one.label or one.name) + (f", stage {one.part}" if one.part else "")
    of = f"{one.kind.value} {place} ({list_names(functions)})"
    if one.kind in _ERRORS:
        metric, dimension = _ERRORS[one.kind]
        dimensions = ((dimension, one.name), ("Stage", one.part))
        errors, count = (
            Metric(namespace=APIS, name=each, dimensions=dimensions) for each in (metric, "Count")
        )
        found = _gauge(Guard.API_ERRORS, Reading.SHARE, of, functions, errors)
        yield found.model_copy(update={"among": count})
        return
    queue = (("QueueName", one.name),)
    depth = Metric(
        namespace=QUEUES, name="ApproximateNumberOfMessagesVisible", dimensions=queue, stat="Maximum"
    )
    if one.kind is Kind.DEAD_LETTERS:
        yield _gauge(Guard.DEAD_LETTERS, Reading.GROWTH, of, functions, depth)
        return
    age = Metric(namespace=QUEUES, name="ApproximateAgeOfOldestMessage", dimensions=queue, stat="Maximum")
    yield _gauge(Guard.QUEUE_DEPTH, Reading.LATEST, of, functions, depth)
    yield _gauge(Guard.QUEUE_AGE, Reading.LATEST, of, functions, age)
