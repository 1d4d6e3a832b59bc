"""What CloudWatch is asked about gauges: each metric once, in few calls, the windows that a reading needs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tidegate.adapters.gauges import read_gauges, set_gauges
from tidegate.domain.neighbours import Kind, Neighbour, Surroundings, make_gauges
from tidegate.domain.rollouts import RollingFunction

if TYPE_CHECKING:
    from collections.abc import Iterator

END = 1_800_000_000


class CloudWatch:
    """Answers each query with one value at each minute that it is asked for."""

    def __init__(self, value: float = 0) -> None:
        self.value = value
        self.calls: list[dict[str, Any]] = []

    def get_paginator(self, name: str) -> CloudWatch:
        assert name == "get_metric_data"
        return self

    def paginate(self, **arguments: Any) -> Iterator[dict[str, Any]]:
        self.calls.append(arguments)
        first, end = (int(arguments[name].timestamp()) for name in ("StartTime", "EndTime"))
        times = [datetime.fromtimestamp(at, UTC) for at in range(first, end, 60)]
        half = len(arguments["MetricDataQueries"]) // 2
        for part in (arguments["MetricDataQueries"][:half], arguments["MetricDataQueries"][half:]):
            results = [
                {"Id": query["Id"], "Timestamps": times, "Values": [self.value] * len(times)}
                for query in part
            ]
            yield {"MetricDataResults": results}


def functions(count: int) -> list[RollingFunction]:
    return [
        RollingFunction(
            logical_id=f"F{number}", name=f"f{number}", alias="live", stable="1", canary="2", log_group="/f"
        )
        for number in range(count)
    ]


def test_a_thousand_functions_take_a_call_for_500_metrics_and_shared_ones_are_asked_for_once() -> None:
    rolling = functions(1000)
    shared = [Neighbour(kind=Kind.QUEUE, function=one.logical_id, name="q") for one in rolling]
    gauges = make_gauges(rolling, Surroundings(neighbours=tuple(shared), account=1000))
    client: Any = CloudWatch(3)
    assert len(read_gauges(client, gauges, END, 60)) == len(gauges) == 2003
    queries = [query for call in client.calls for query in call["MetricDataQueries"]]
    assert [len(call["MetricDataQueries"]) for call in client.calls] == [500, 500, 500, 500, 3]
    assert len({str(query["MetricStat"]["Metric"]) for query in queries}) == 2003
    assert (END - int(client.calls[0]["StartTime"].timestamp())) / 60 == 6


def test_the_hour_before_sets_what_is_usual() -> None:
    client: Any = CloudWatch(3)
    (throttles, dropped) = set_gauges(client, make_gauges(functions(1), Surroundings()), END, 60)
    assert (throttles.usual, dropped.usual, throttles.since) == (15, 15, END)
    (call,) = client.calls
    assert (END - int(call["StartTime"].timestamp())) / 60 == 60
    assert call["MetricDataQueries"][0]["MetricStat"] == {
        "Metric": {
            "Namespace": "AWS/Lambda",
            "MetricName": "Throttles",
            "Dimensions": [{"Name": "FunctionName", "Value": "f0"}],
        },
        "Period": 60,
        "Stat": "Sum",
    }


def test_without_gauges_nothing_is_asked() -> None:
    client: Any = CloudWatch()
    assert read_gauges(client, (), END, 60) == []
    assert client.calls == []
