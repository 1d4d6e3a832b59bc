"""The gauges of a rollout: their document, and what CloudWatch says of them in as few calls as it takes.

The document lies at stages/<stage>/gauges.json and is written once, before the trial that goes by it.
Sources: Amazon CloudWatch API Reference, GetMetricData (500 queries a call, 100,800 datapoints); AWS Lambda
API Reference, GetAccountSettings.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tidegate.adapters.documents import Documents, stage_prefix
from tidegate.adapters.metrics import read_series
from tidegate.domain.gauges import BEFORE, WINDOW, Gauges, Points, calibrate, measure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_lambda import LambdaClient

    from tidegate.domain.gauges import Gauge, Metric
    from tidegate.domain.identity import ReleaseRef


def write_gauges(documents: Documents, ref: ReleaseRef, stage: str, gauges: Gauges) -> None:
    """Store the gauges of a stage's rollout, once; ClientError (PreconditionFailed) where others stand."""
    documents.replace(f"{stage_prefix(ref, stage)}gauges.json", gauges, "")


def find_gauges(documents: Documents, ref: ReleaseRef, stage: str) -> Gauges | None:
    """The gauges of a stage's rollout, or None where they are not set yet, or it was begun without."""
    return documents.find(f"{stage_prefix(ref, stage)}gauges.json", Gauges)


@dataclass(frozen=True)
class Ask:
    """A metric as a query."""

    metric: Metric

    def query(self, name: str, period: int) -> Any:  # noqa: ANN401
        """The query for it, by exactly these dimensions."""
        metric = {
            "Namespace": self.metric.namespace,
            "MetricName": self.metric.name,
            "Dimensions": [{"Name": key, "Value": value} for key, value in self.metric.dimensions],
        }
        return {"Id": name, "MetricStat": {"Metric": metric, "Period": period, "Stat": self.metric.stat}}


def set_gauges(client: CloudWatchClient, gauges: Sequence[Gauge], end: int, period: int) -> tuple[Gauge, ...]:
    """The gauges with what was usual in the hour before `end`."""
    points = _read(client, gauges, BEFORE, end, period)
    return tuple(calibrate(gauge, found, end, period) for gauge, found in zip(gauges, points, strict=True))


def read_gauges(
    client: CloudWatchClient, gauges: Sequence[Gauge], end: int, period: int
) -> list[float | None]:
    """What each gauge shows in the window that ends at `end`; None where it shows nothing."""
    points = _read(client, gauges, WINDOW + 1, end, period)
    return [measure(gauge, found, end, period) for gauge, found in zip(gauges, points, strict=True)]


def _read(
    client: CloudWatchClient, gauges: Sequence[Gauge], periods: int, end: int, period: int
) -> list[Points]:
    asked = {metric: str(number) for number, metric in enumerate(_list_metrics(gauges))}
    stats = {label: Ask(metric) for metric, label in asked.items()}
    start, until = (datetime.fromtimestamp(at, UTC) for at in (end - periods * period, end))
    series = read_series(client, stats, period, start, until)
    return [
        Points(
            values=series[asked[gauge.metric]],
            among=series[asked[gauge.among]] if gauge.among else {},
        )
        for gauge in gauges
    ]


def _list_metrics(gauges: Sequence[Gauge]) -> list[Metric]:
    """Each metric once."""
    return list(dict.fromkeys(metric for gauge in gauges for metric in gauge.metrics))


def read_account_limit(client: LambdaClient) -> int:
    """How many executions at once the account may have in the region."""
    return client.get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
