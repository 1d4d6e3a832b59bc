"""CloudWatch's statistics are right for any period, and stay fast."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from moto.cloudwatch.models import CloudWatchBackend, MetricDatum

from tidegate.local import metrics

START = 1_800_000_000
KEY = metrics.key_of("N", "M", [{"Name": "D", "Value": "v"}])


def backend_with(values):
    backend = CloudWatchBackend("us-east-1", "123456789012")
    dimensions = [{"Name": "D", "Value": "v"}]
    backend.metric_data += [
        MetricDatum("N", "M", value, dimensions, datetime.fromtimestamp(at, UTC).replace(tzinfo=None))
        for at, value in values
    ]
    return backend


samples = st.lists(st.tuples(st.integers(START, START + 400), st.integers(0, 1000)), min_size=1, max_size=60)


@given(samples, st.sampled_from([1, 3, 7, 10, 60, 300]))
def test_each_datapoint_falls_into_one_period(values, period):
    backend = backend_with([(float(at), float(value)) for at, value in values])
    options = {"period": period, "start": float(START), "end": float(START + 401)}
    sums = metrics.datapoints(backend, KEY, "Sum", **options)
    counts = metrics.datapoints(backend, KEY, "SampleCount", **options)
    assert sum(value for _, value in sums) == sum(value for _, value in values)
    assert sum(value for _, value in counts) == len(values)
    assert all((at - sums[0][0]) % period == 0 for at, _ in sums)
    assert len({at for at, _ in sums}) == len(sums)


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=200), st.integers(1, 100))
def test_a_percentile_is_a_value_with_enough_below_it(values, rank):
    backend = backend_with([(float(START), float(value)) for value in values])
    options = {"period": 60, "start": float(START), "end": float(START + 60)}
    ((_, found),) = metrics.datapoints(backend, KEY, f"p{rank}", **options)
    assert found in values
    assert sum(value <= found for value in values) >= rank / 100 * len(values) - 1e-9
    assert sum(value < found for value in values) < rank / 100 * len(values) + 1e-9


def test_a_hundred_thousand_datapoints_stay_fast():
    backend = backend_with([(START + index / 100, float(index % 100)) for index in range(100_000)])
    options = {"period": 3, "start": float(START), "end": float(START + 2000)}
    metrics.datapoints(backend, KEY, "Sum", **options)
    begun = time.process_time()
    for _ in range(20):
        metrics.datapoints(backend, KEY, "p99", period=3, start=START + 900.0, end=START + 930.0)
    assert time.process_time() - begun < 0.5
    assert metrics.datapoints(backend, KEY, "p99", period=3, start=START + 900.0, end=START + 903.0) == [
        (START + 900.0, 98.0)
    ]


def test_the_api_tells_the_same(cloud, unique):
    cloudwatch = cloud.client("cloudwatch")
    now = datetime.now(UTC).replace(microsecond=0)
    dimensions = [{"Name": "Function", "Value": unique}]
    for name, values in (("Good", [1.0, 2.0, 3.0, 10.0]), ("Other", [5.0])):
        data = [
            {
                "MetricName": name,
                "Dimensions": dimensions,
                "Timestamp": now,
                "Values": values,
                "Unit": "Count",
            }
        ]
        cloudwatch.put_metric_data(Namespace=unique, MetricData=data)
    span = {"StartTime": now - timedelta(seconds=30), "EndTime": now + timedelta(seconds=30)}
    metric = {"Namespace": unique, "MetricName": "Good", "Dimensions": dimensions}
    queries = [
        {"Id": f"q{index}", "MetricStat": {"Metric": metric, "Period": 3, "Stat": stat}}
        for index, stat in enumerate(("Sum", "p50", "p99", "Average", "SampleCount"))
    ]
    results = cloudwatch.get_metric_data(MetricDataQueries=queries, **span)["MetricDataResults"]
    assert [result["Values"] for result in results] == [[16.0], [2.0], [10.0], [4.0], [4.0]]
    (point,) = cloudwatch.get_metric_statistics(
        **metric, Period=60, Statistics=["Sum", "SampleCount"], **span
    )["Datapoints"]
    assert (point["Sum"], point["SampleCount"], point["Unit"]) == (16.0, 4.0, "Count")
    assert {found["MetricName"] for found in cloudwatch.list_metrics(Namespace=unique)["Metrics"]} == {
        "Good",
        "Other",
    }
    bare = [
        {
            "Id": "b",
            "MetricStat": {"Metric": {"Namespace": unique, "MetricName": "Good"}, "Period": 3, "Stat": "Sum"},
        }
    ]
    assert cloudwatch.get_metric_data(MetricDataQueries=bare, **span)["MetricDataResults"][0]["Values"] == []
    queries[0]["MetricStat"]["Stat"] = "tm90"
    with pytest.raises(ClientError, match="tm90"):
        cloudwatch.get_metric_data(MetricDataQueries=queries, **span)
