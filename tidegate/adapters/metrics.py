"""Batches from CloudWatch metrics, for functions whose log cannot be watched.

Metrics carry the version as `ExecutedVersion` (AWS Lambda Developer Guide, "Types of metrics for Lambda
functions"), have one-minute periods and are complete some minutes after; each period is read once. They know
no durations of single requests. A request has failed if its invocation erred or a line of its log holds the
failure mark; nothing tells which errors and marks are of one request, so the greater count is taken of both
since the first shift: a line may be written in a later minute than its request began in.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from tidegate.adapters.marks import find_marks
from tidegate.domain.batches import Arm, Batch
from tidegate.domain.observing import METRICS_DELAY, SPREAD, Cursor, Terms, Totals, find_weight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_logs import CloudWatchLogsClient

    from tidegate.adapters.clients import StageClients
    from tidegate.domain.rollouts import RollingFunction

QUERIES_PER_CALL: Final = 500  # GetMetricData's limit
ENOUGH: Final = 5  # invocations by the metrics after which a log that says nothing is taken for silent
WRITING: Final = 1 / 15  # seconds that an alias takes to write, by Lambda's rate of calls
SILENT: Final = "the metrics count its requests, but its log does not come: may its role write logs?"
# Values by label and period's beginning (seconds since 1970).
Series = dict[str, dict[int, float]]


class Asked(Protocol):
    """A metric with its statistic."""

    def query(self, name: str, period: int) -> Any:  # noqa: ANN401
        """The query for it, under a name of its own."""
        ...


@dataclass(frozen=True)
class Stat:
    """One metric of a function under its alias; with `version`, of that version's requests only."""

    function: RollingFunction
    metric: str
    version: str = ""
    stat: str = "Sum"

    def query(self, name: str, period: int) -> Any:  # noqa: ANN401
        """The query for it, by the dimensions that Lambda uses."""
        dimensions = [
            {"Name": "FunctionName", "Value": self.function.name},
            {"Name": "Resource", "Value": f"{self.function.name}:{self.function.alias}"},
        ]
        if self.version:
            dimensions.append({"Name": "ExecutedVersion", "Value": self.version})
        metric = {"Namespace": "AWS/Lambda", "MetricName": self.metric, "Dimensions": dimensions}
        return {"Id": name, "MetricStat": {"Metric": metric, "Period": period, "Stat": self.stat}}


def read_series(
    client: CloudWatchClient, stats: Mapping[str, Asked], period: int, start: datetime, end: datetime
) -> Series:
    """The values of these metrics by label, in as few calls as the limit allows."""
    labels = list(stats)
    found: Series = defaultdict(dict)
    for first in range(0, len(labels), QUERIES_PER_CALL):
        chunk = {f"q{index}": label for index, label in enumerate(labels[first : first + QUERIES_PER_CALL])}
        pages = client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=[stats[label].query(name, period) for name, label in chunk.items()],
            StartTime=start,
            EndTime=end,
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                values = found[chunk[result["Id"]]]
                for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                    values[round(at.timestamp())] = value
    return found


@dataclass(frozen=True)
class Look:
    """What a look at the metrics is about; `watched` are functions that telemetry serves.

    `limit` is the longest time limit of those served, in seconds: a request's metrics come with its end and
    stand at its beginning (AWS Lambda Developer Guide, "Types of metrics for Lambda functions"), so that a
    period is whole only when none of its requests can be running.
    """

    served: tuple[RollingFunction, ...]
    watched: tuple[RollingFunction, ...]
    shifts: Sequence[tuple[float, datetime]]
    now: datetime
    terms: Terms
    limit: float = 0

    @property
    def settle(self) -> float:
        """Seconds from a period's end to when its metrics are complete."""
        return max(METRICS_DELAY * self.terms.pace, self.limit)

    @property
    def period(self) -> int:
        """The length of a period in seconds."""
        return self.terms.period

    def span(self, cursor: Cursor) -> tuple[int, int]:
        """The periods that are new and whole: [start, end) in seconds since 1970."""
        end = int(self.now.timestamp() - self.settle) // self.period * self.period
        first = int(self.shifts[0][1].timestamp()) // self.period * self.period if self.shifts else end
        return cursor.metrics_to or first, end

    def weigh(self, begin: int) -> float | None:
        """The one weight of a period."""
        writing = (len(self.served) + len(self.watched)) * WRITING
        period = _moment(begin), _moment(begin + self.period)
        return find_weight(self.shifts, *period, writing, SPREAD * self.terms.pace)


def read_metrics(stage: StageClients, look: Look, cursor: Cursor) -> tuple[tuple[Batch, ...], Cursor]:
    """The batches of the periods that are new since the cursor; nothing is asked where there are none."""
    start, end = look.span(cursor)
    if start >= end:
        return (), cursor
    stats = dict(_stats(look, cursor))
    series = read_series(stage.cloudwatch, stats, look.period, _moment(start), _moment(end))
    marks = {
        function.logical_id: count_marks(stage.logs, function, look, (start, end)) for function in look.served
    }
    totals = dict(cursor.totals)
    batches = []
    for begin in range(start, end, look.period):
        for function in look.served:
            counts = _counts(function, series, marks[function.logical_id], begin)
            if not any(map(any, counts)):
                continue
            before = totals.get(function.logical_id, (Totals(), Totals()))
            batch, totals[function.logical_id] = _batch(function, look, begin, counts, before)
            batches += [batch] if batch else []
    update = {
        "metrics_to": end,
        "totals": totals,
        **_listen(look, series, cursor),
    }
    return tuple(batches), cursor.model_copy(update=update)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _stats(look: Look, cursor: Cursor) -> Iterator[tuple[str, Stat]]:
    for function in look.served:
        for version in (function.stable, function.canary):
            for metric in ("Invocations", "Errors"):
                yield f"{metric}/{function.logical_id}/{version}", Stat(function, metric, version)
    for function in look.watched:
        if not _is_heard(cursor, function):
            yield f"Invocations/{function.logical_id}", Stat(function, "Invocations")


def _is_heard(cursor: Cursor, function: RollingFunction) -> bool:
    read = cursor.telemetry.get(function.logical_id)
    return read is not None and read.heard


def _listen(look: Look, series: Series, cursor: Cursor) -> dict[str, Any]:
    """Which watched functions run without their log saying so."""
    invoked, silent = dict(cursor.invoked), dict(cursor.silent)
    for function in look.watched:
        name = function.logical_id
        if _is_heard(cursor, function):
            invoked.pop(name, None)
            continue
        values = series.get(f"Invocations/{name}", {})
        invoked[name] = invoked.get(name, 0) + int(
            sum(value for begin, value in values.items() if look.weigh(begin))
        )
        if invoked[name] >= ENOUGH:
            silent[name] = SILENT
    return {"invoked": invoked, "silent": silent}


# By version: (requests, errors, marks) of one period.
Counts = tuple[tuple[int, int, int], tuple[int, int, int]]


def _counts(function: RollingFunction, series: Series, marks: Counter[tuple[str, int]], begin: int) -> Counts:
    def count(version: str) -> tuple[int, int, int]:
        name = f"{function.logical_id}/{version}"
        requests, errors = (
            int(series.get(f"{metric}/{name}", {}).get(begin, 0)) for metric in ("Invocations", "Errors")
        )
        return requests, errors, marks[version, begin]

    return count(function.stable), count(function.canary)


def _batch(
    function: RollingFunction, look: Look, begin: int, counts: Counts, before: tuple[Totals, Totals]
) -> tuple[Batch | None, tuple[Totals, Totals]]:
    """A period's batch, and the totals after it; None where it had no requests or more than one weight."""
    weight = look.weigh(begin)
    (stable, after_stable), (canary, after_canary) = (
        _arm(numbers, totals, given=bool(weight)) for numbers, totals in zip(counts, before, strict=True)
    )
    after = (after_stable, after_canary)
    if not weight or not stable.requests + canary.requests:
        return None, after
    batch = Batch(
        key=f"{function.logical_id}#m{begin}",
        function=function.logical_id,
        at=begin,
        seconds=look.period,
        weight=weight,
        stable=stable,
        canary=canary,
    )
    return batch, after


def _arm(counts: tuple[int, int, int], before: Totals, *, given: bool) -> tuple[Arm, Totals]:
    """A version's requests of a period; failures of a period that is left out are left out too."""
    requests, errors, marks = counts
    errors, marks = before.errors + errors, before.marks + marks
    fresh = max(errors, marks) - before.given
    failed = min(requests, fresh)
    after = Totals(errors=errors, marks=marks, given=before.given + (failed if given else fresh))
    return Arm(requests=requests, failed=failed), after


def count_marks(
    client: CloudWatchLogsClient, function: RollingFunction, look: Look, span: tuple[int, int]
) -> Counter[tuple[str, int]]:
    """Marked requests by version and period; the metrics of an alias do not have Tidegate's own."""
    start, end = map(_moment, span)
    own = frozenset(look.terms.left_out)
    marks = find_marks(client, function, start, end, look.terms.mark)
    return Counter(
        (version, at // 1000 // look.period * look.period)
        for (version, request), at in marks.items()
        if request not in own
    )


def make_stats(
    functions: Sequence[RollingFunction], kinds: Sequence[tuple[str, str]], version: Callable[..., str]
) -> dict[str, Stat]:
    """The same metrics, each (metric, statistic), of many functions: `<logical id>/<metric>/<statistic>`."""
    return {
        f"{function.logical_id}/{metric}/{stat}": Stat(function, metric, version(function), stat)
        for function in functions
        for metric, stat in kinds
    }
