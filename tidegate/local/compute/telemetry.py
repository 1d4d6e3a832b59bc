"""What Lambda tells CloudWatch of each invocation, in namespace AWS/Lambda, put there in batches.

Counts are summed per second before they are put; durations stay single values, because percentiles need them.
The time of a datapoint is the start of its invocation.
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from moto.cloudwatch.models import MetricAggregatedDatum, MetricDatum, cloudwatch_backends

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NAMESPACE: Final = "AWS/Lambda"
MILLISECONDS: Final = "Milliseconds"


@dataclass(frozen=True, slots=True)
class Subject:
    """Who a datapoint is about; `resource` is the function as it was invoked, `name` or `name:qualifier`.

    Without a name it is the account.
    """

    account_id: str
    region: str
    name: str
    resource: str
    executed_version: str | None = None

    def dimensions(self) -> Iterator[list[dict[str, str]]]:
        """Give the sets of dimensions under which Lambda files it."""
        function = {"Name": "FunctionName", "Value": self.name}
        resource = {"Name": "Resource", "Value": self.resource}
        yield []
        if not self.name:
            return
        yield [function]
        yield [function, resource]
        if self.executed_version is not None:
            yield [function, resource, {"Name": "ExecutedVersion", "Value": self.executed_version}]


class Telemetry:
    """Collects datapoints until `flush`; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[Subject, int, str], list[float]] = {}
        self._durations: list[tuple[Subject, int, float]] = []

    def count(self, subject: Subject, at: float, values: Mapping[str, float]) -> None:
        """Take values of metrics by name, at a time in Unix seconds."""
        second = int(at)
        with self._lock:
            for name, value in values.items():
                self._counts.setdefault((subject, second, name), []).append(value)

    def duration(self, subject: Subject, at: float, milliseconds: float) -> None:
        """Take the duration of a handler."""
        with self._lock:
            self._durations.append((subject, int(at), milliseconds))

    def flush(self) -> None:
        """Put what was collected into CloudWatch."""
        with self._lock:
            counts, self._counts = self._counts, {}
            durations, self._durations = self._durations, []
            for (subject, second, name), values in counts.items():
                self._put(subject, [_summed(name, values, second, dims) for dims in subject.dimensions()])
            for subject, second, value in durations:
                self._put(subject, [_single(value, second, dims) for dims in subject.dimensions()])

    def _put(self, subject: Subject, data: list[Any]) -> None:
        cloudwatch_backends[subject.account_id][subject.region].metric_data += data


def _moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC).replace(tzinfo=None)


def _summed(
    name: str, values: list[float], second: int, dimensions: list[dict[str, str]]
) -> MetricAggregatedDatum:
    return MetricAggregatedDatum(
        NAMESPACE,
        name,
        min_stat=float(min(values)),
        max_stat=float(max(values)),
        sample_count=float(len(values)),
        sum_stat=float(sum(values)),
        dimensions=dimensions,
        timestamp=_moment(second),
        unit=MILLISECONDS if name == "IteratorAge" else "Count",
    )


def _single(value: float, second: int, dimensions: list[dict[str, str]]) -> MetricDatum:
    return MetricDatum(NAMESPACE, "Duration", value, dimensions, _moment(second), MILLISECONDS)
