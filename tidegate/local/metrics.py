"""CloudWatch's metrics, counted right and fast: moto scans all datapoints and knows no percentiles.

The series follow moto's own list of datapoints, so whoever appends to it is heard. Metric math is not in
here: expressions are left to whatever `moto.cloudwatch.models.parse_expression` is at the time.
Rules: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
"""

from __future__ import annotations

import bisect
import math
import threading
import weakref
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from moto.cloudwatch import models
from moto.cloudwatch.exceptions import InvalidParameterValue, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tidegate.local.cloud import LocalCloud

Key = tuple[str, str, frozenset[tuple[str, str]]]
MINUTE: Final = 60
LOCK: Final = threading.RLock()


@dataclass(frozen=True, slots=True)
class Sample:
    """One datapoint: a single value, or a set of them of which only these four numbers are known."""

    total: float
    count: float
    low: float
    high: float


@dataclass(slots=True)
class Series:
    """The datapoints of one metric in the order of time."""

    times: list[float] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    units: list[str | None] = field(default_factory=list)

    def add(self, at: float, sample: Sample, unit: str | None) -> None:
        """Add a datapoint, late ones too."""
        index = (
            len(self.times) if not self.times or at >= self.times[-1] else bisect.bisect_right(self.times, at)
        )
        self.times.insert(index, at)
        self.samples.insert(index, sample)
        self.units.insert(index, unit)

    def between(self, start: float, end: float, unit: str | None) -> list[tuple[float, Sample]]:
        """Give the datapoints from `start` up to, not including, `end`."""
        low, high = bisect.bisect_left(self.times, start), bisect.bisect_left(self.times, end)
        return [
            (self.times[index], self.samples[index])
            for index in range(low, high)
            if unit is None or self.units[index] == unit
        ]


class Book:
    """All series of one moto backend, brought up to date from its list of datapoints at each reading."""

    def __init__(self) -> None:
        self.series: dict[Key, Series] = {}
        self._source: list[Any] | None = None
        self._read = 0

    def refresh(self, backend: models.CloudWatchBackend) -> None:
        """Take over what was added to the backend since; starts afresh after a reset."""
        if self._source is not backend.metric_data:
            self.__init__()  # type: ignore[misc]
            self._source = backend.metric_data
        fresh = backend.metric_data[self._read :]
        self._read += len(fresh)
        for datum in fresh:
            self._take(datum)

    def _take(self, datum: Any) -> None:  # noqa: ANN401
        dimensions = frozenset((dimension.name, dimension.value) for dimension in datum.dimensions)
        series = self.series.setdefault((datum.namespace, datum.name, dimensions), Series())
        if isinstance(datum, models.MetricAggregatedDatum):
            sample = Sample(datum.sum, datum.sample_count, datum.min, datum.max)
        else:
            sample = Sample(datum.value, 1.0, datum.value, datum.value)
        series.add(_seconds(datum.timestamp), sample, datum.unit)


BOOKS: Final[weakref.WeakKeyDictionary[models.CloudWatchBackend, Book]] = weakref.WeakKeyDictionary()


def _book(backend: models.CloudWatchBackend) -> Book:
    book = BOOKS.get(backend)
    if book is None:
        BOOKS[backend] = book = Book()
    book.refresh(backend)
    return book


def _seconds(moment: datetime) -> float:
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


def statistic(stat: str, samples: Sequence[Sample]) -> float | None:
    """Work out Sum, Average, Minimum, Maximum, SampleCount or a percentile such as `p99` or `p99.9`.

    Percentiles are by nearest rank, over samples whose values are known; None when there are none of these.
    Raises ValidationError for any other statistic.
    """
    count = sum(sample.count for sample in samples)
    match stat:
        case "Sum":
            return sum(sample.total for sample in samples)
        case "SampleCount":
            return count
        case "Average":
            return sum(sample.total for sample in samples) / count if count else None
        case "Minimum":
            return min(sample.low for sample in samples)
        case "Maximum":
            return max(sample.high for sample in samples)
        case _:
            return _percentile(_rank(stat), samples)


def _rank(stat: str) -> float:
    try:
        rank = float(stat.removeprefix("p"))
    except ValueError:
        rank = -1.0
    if not stat.startswith("p") or not 0 <= rank <= 100:  # noqa: PLR2004
        raise ValidationError(f"The local cloud does not know the statistic {stat}.")
    return rank


def _percentile(rank: float, samples: Sequence[Sample]) -> float | None:
    known = sorted((sample.low, sample.count) for sample in samples if sample.low == sample.high)
    wanted = math.ceil(rank / 100 * sum(count for _, count in known))
    seen = 0.0
    for value, count in known:
        seen += count
        if seen >= wanted:
            return value
    return None


def datapoints(
    backend: models.CloudWatchBackend,
    key: Key,
    stat: str,
    *,
    period: int,
    start: float,
    end: float,
    unit: str | None = None,
) -> list[tuple[float, float]]:
    """Give (start of the period, value) of a metric in the order of time; periods without data are left out.

    `period` is in seconds, `start` and `end` are Unix seconds; the start is taken down to a whole period,
    or to the whole minute if the period is longer than that, the end is exclusive.
    """
    first = math.floor(start / min(period, MINUTE)) * min(period, MINUTE)
    with LOCK:
        series = _book(backend).series.get(key)
        found = series.between(first, end, unit) if series else []
    buckets: dict[int, list[Sample]] = {}
    for at, sample in found:
        buckets.setdefault(int((at - first) // period), []).append(sample)
    values = [(first + index * period, statistic(stat, samples)) for index, samples in buckets.items()]
    return [(at, value) for at, value in values if value is not None]


def key_of(namespace: str, name: str, dimensions: Iterable[dict[str, str]]) -> Key:
    """Make the identity of a metric from the API's words."""
    return namespace, name, frozenset((dimension["Name"], dimension["Value"]) for dimension in dimensions)


def install(cloud: LocalCloud) -> None:
    """Put the readings of moto's CloudWatch on the series."""
    cloud.patch(models.CloudWatchBackend, "get_metric_data", get_metric_data)
    cloud.patch(models.CloudWatchBackend, "get_metric_statistics", get_metric_statistics)
    cloud.patch(models.CloudWatchBackend, "get_filtered_metrics", get_filtered_metrics)


def get_metric_data(
    self: models.CloudWatchBackend,
    queries: list[dict[str, Any]],
    start_time: datetime,
    end_time: datetime,
    scan_by: str = "TimestampAscending",
) -> list[dict[str, Any]]:
    """Answer GetMetricData: each MetricStat from its series, then the expressions over these."""
    if start_time >= end_time:
        raise ValidationError("The parameter EndTime must be greater than StartTime.")
    descending = scan_by == "TimestampDescending"
    stats = [query for query in queries if "MetricStat" in query]
    results = [_metric_stat(self, query, start_time, end_time, descending=descending) for query in stats]
    returned = [result for query, result in zip(stats, results, strict=True) if query.get("ReturnData", True)]
    for query in queries:
        if "Expression" in query:
            result = _expression(query, results)
            results.append(result)
            if query.get("ReturnData", True):
                returned.append(result)
    return returned


def _metric_stat(
    backend: models.CloudWatchBackend,
    query: dict[str, Any],
    start: datetime,
    end: datetime,
    *,
    descending: bool,
) -> dict[str, Any]:
    wanted = query["MetricStat"]
    metric = wanted["Metric"]
    points = sorted(
        datapoints(
            backend,
            key_of(metric["Namespace"], metric["MetricName"], metric.get("Dimensions") or []),
            wanted["Stat"],
            period=int(wanted["Period"]),
            start=_seconds(start),
            end=_seconds(end),
            unit=wanted.get("Unit"),
        ),
        reverse=descending,
    )
    return _result(query, f"{metric['MetricName']} {wanted['Stat']}", points)


def _result(query: dict[str, Any], label: str, points: list[tuple[float, float]]) -> dict[str, Any]:
    return {
        "id": query["Id"],
        "label": query.get("Label") or label,
        "timestamps": [_moment(at) for at, _ in points],
        "values": [value for _, value in points],
        "status_code": "Complete",
    }


def _expression(query: dict[str, Any], results: list[dict[str, Any]]) -> dict[str, Any]:
    if query["Expression"].lstrip().upper().startswith("SELECT"):
        raise ValidationError("The local cloud does not know Metrics Insights (SELECT) queries.")
    values, timestamps = models.parse_expression(query["Expression"], results)
    return {
        "id": query["Id"],
        "label": query.get("Label") or query["Id"],
        "timestamps": timestamps,
        "values": values,
        "status_code": "Complete",
    }


def get_metric_statistics(  # noqa: PLR0913, PLR0917
    self: models.CloudWatchBackend,
    namespace: str,
    metric_name: str,
    start_time: datetime,
    end_time: datetime,
    period: int,
    stats: list[str],
    dimensions: list[dict[str, str]],
    unit: str | None = None,
) -> list[dict[str, Any]]:
    """Answer GetMetricStatistics for the simple statistics; extended ones are an error that says so."""
    if start_time >= end_time:
        raise InvalidParameterValue("The parameter StartTime must be less than the parameter EndTime.")
    if not stats:
        raise InvalidParameterValue("The local cloud has ExtendedStatistics in GetMetricData only.")
    key = key_of(namespace, metric_name, dimensions)
    rows: dict[float, dict[str, Any]] = {}
    shown = unit or _unit(self, key)
    for stat in stats:
        for at, value in datapoints(
            self, key, stat, period=period, start=_seconds(start_time), end=_seconds(end_time), unit=unit
        ):
            rows.setdefault(at, {"timestamp": _moment(at), "unit": shown})[_snake(stat)] = value
    return [rows[at] for at in sorted(rows)]


def _unit(backend: models.CloudWatchBackend, key: Key) -> str:
    with LOCK:
        series = _book(backend).series.get(key)
    return next((unit for unit in series.units if unit), "None") if series else "None"


def _snake(stat: str) -> str:
    return "sample_count" if stat == "SampleCount" else stat.lower()


def get_filtered_metrics(
    self: models.CloudWatchBackend, metric_name: str, namespace: str, dimensions: list[dict[str, str]]
) -> list[Any]:
    """Answer ListMetrics from the series; a dimension without a value matches any."""
    with LOCK:
        keys = list(_book(self).series)
    return [
        models.MetricDatumBase(
            key[0], key[1], [{"Name": name, "Value": value} for name, value in sorted(key[2])], None
        )
        for key in keys
        if (not namespace or key[0] == namespace)
        and (not metric_name or key[1] == metric_name)
        and all(_has(key[2], wanted) for wanted in dimensions)
    ]


def _has(dimensions: frozenset[tuple[str, str]], wanted: dict[str, str]) -> bool:
    return any(
        name == wanted["Name"] and wanted.get("Value") in {None, "", value} for name, value in dimensions
    )
