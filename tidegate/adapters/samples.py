"""What the judge is given: requests and failures by version, from CloudWatch metrics and from failure marks.

A request has failed if its invocation erred or a line of its log holds the failure mark. Metrics carry the
version as `ExecutedVersion` (AWS Lambda Developer Guide, "Types of metrics for Lambda functions"); a log line
belongs to the version in the brackets of its stream's name. A request that logs an error and then raises is
in both counts, and nothing tells which these are: the greater count is taken, so that none counts twice.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from tidegate.domain.judge import Counts, Sample
from tidegate.domain.log_lines import find_version, identify_request

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_logs import CloudWatchLogsClient

    from tidegate.domain.rollouts import RollingFunction

QUERIES_PER_CALL: Final = 500  # GetMetricData's limit
METRICS: Final = ("Invocations", "Errors")


def read_samples(
    cloudwatch: CloudWatchClient,
    logs: CloudWatchLogsClient,
    functions: Sequence[RollingFunction],
    span: tuple[datetime, datetime],
    period: int,
    mark: str,
) -> tuple[Sample, ...]:
    """One sample per function for the requests that started in `span`, whole periods of `period` seconds."""
    start, end = span
    if start >= end:
        nothing = Counts(requests=0, failed=0)
        return tuple(Sample(function=f.logical_id, stable=nothing, canary=nothing) for f in functions)
    sums = read_metrics(cloudwatch, functions, start, end, period)
    return tuple(
        _sample(function, sums, count_marks(logs, function, start, end, mark)) for function in functions
    )


def _sample(function: RollingFunction, sums: dict[str, float], marks: Counter[str]) -> Sample:
    def counts(version: str) -> Counts:
        requests = int(sums.get(f"{function.logical_id}/{version}/Invocations", 0))
        failed = max(int(sums.get(f"{function.logical_id}/{version}/Errors", 0)), marks[version])
        return Counts(requests=requests, failed=min(requests, failed))

    return Sample(
        function=function.logical_id,
        stable=counts(function.stable),
        canary=counts(function.canary),
        throttles=int(sums.get(f"{function.logical_id}/*/Throttles", 0)),
    )


def read_metrics(
    client: CloudWatchClient,
    functions: Sequence[RollingFunction],
    start: datetime,
    end: datetime,
    period: int,
) -> dict[str, float]:
    """Sums over the span by `<logical id>/<version or *>/<metric>`, in as few calls as the limit allows."""
    queries = [query for function in functions for query in _queries(function, period)]
    sums: dict[str, float] = {}
    for first in range(0, len(queries), QUERIES_PER_CALL):
        chunk = {f"q{i}": q for i, q in enumerate(queries[first : first + QUERIES_PER_CALL])}
        pages = client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=[{"Id": key, "MetricStat": stat} for key, (_, stat) in chunk.items()],
            StartTime=start,
            EndTime=end,
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                label = chunk[result["Id"]][0]
                sums[label] = sums.get(label, 0) + sum(result["Values"])
    return sums


def _queries(function: RollingFunction, period: int) -> Iterator[tuple[str, Any]]:
    alias = [
        {"Name": "FunctionName", "Value": function.name},
        {"Name": "Resource", "Value": f"{function.name}:{function.alias}"},
    ]
    for version in (function.stable, function.canary):
        dimensions = [*alias, {"Name": "ExecutedVersion", "Value": version}]
        for metric in METRICS:
            label = f"{function.logical_id}/{version}/{metric}"
            yield label, _metric_stat(metric, dimensions, period)
    yield f"{function.logical_id}/*/Throttles", _metric_stat("Throttles", alias, period)


def _metric_stat(metric: str, dimensions: list[dict[str, str]], period: int) -> Any:  # noqa: ANN401
    return {
        "Metric": {"Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": dimensions},
        "Period": period,
        "Stat": "Sum",
    }


def count_marks(
    client: CloudWatchLogsClient, function: RollingFunction, start: datetime, end: datetime, mark: str
) -> Counter[str]:
    """Marked requests by version. Lines of one request count once where they name it, else one by one."""
    seen: set[tuple[str, str]] = set()
    pages = client.get_paginator("filter_log_events").paginate(
        logGroupName=function.log_group,
        filterPattern=mark,
        startTime=int(start.timestamp() * 1000),
        endTime=int(end.timestamp() * 1000) - 1,
    )
    try:
        for page in pages:
            for event in page["events"]:
                version = find_version(event["logStreamName"], function.name)
                if version:
                    seen.add((version, identify_request(event["message"]) or event["eventId"]))
    except ClientError as error:
        # The group comes into being with the first invocation.
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
    return Counter(version for version, _ in seen)
