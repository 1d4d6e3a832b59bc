"""Batches of the metrics: each period once, of one weight, with the greater of errors and marks."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tidegate.adapters.history import read_history
from tidegate.adapters.metrics import Look, read_metrics
from tidegate.adapters.observing import observe
from tidegate.domain.observing import METRICS, Cursor, LastDay, Profile, Read, Terms, Thresholds
from tidegate.domain.rollouts import RollingFunction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.domain.identity import ReleaseRef

BASE = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
TERMS = Terms(mark="ERROR")


def rolling(name: str = "F") -> RollingFunction:
    return RollingFunction(
        logical_id=name,
        name=name.lower(),
        alias="live",
        stable="7",
        canary="8",
        log_group=f"/aws/lambda/{name.lower()}",
    )


class Cloud:
    """Metrics and logs that are what a test says; also the clients of a stage."""

    def __init__(self, values: dict[tuple[str, str], dict[int, float]] | None = None) -> None:
        """`values` are by (metric, version or ""), and by the minute after BASE."""
        self.values = values or {}
        self.marks: list[tuple[float, str, str]] = []
        self.calls: list[dict[str, Any]] = []
        self.scans: list[dict[str, Any]] = []

    @property
    def cloudwatch(self) -> Cloud:
        return self

    @property
    def logs(self) -> Cloud:
        return self

    @property
    def tables(self) -> Cloud:
        return self

    @property
    def target(self) -> Cloud:
        return self

    name = "staging"

    def get_paginator(self, name: str) -> Any:
        return {
            "get_metric_data": Pages(self._metrics),
            "filter_log_events": Pages(self._events),
            "query": Pages(lambda _: {"Items": []}),
        }[name]

    def _metrics(self, arguments: dict[str, Any]) -> dict[str, Any]:
        self.calls.append(arguments)
        results = []
        for query in arguments["MetricDataQueries"]:
            stat = query["MetricStat"]
            dimensions = {one["Name"]: one["Value"] for one in stat["Metric"]["Dimensions"]}
            key = (stat["Metric"]["MetricName"], dimensions.get("ExecutedVersion", ""))
            named = (*key, stat["Stat"])
            series = self.values.get(key) or self.values.get(named, {})  # type: ignore[call-overload]
            times = {BASE + timedelta(minutes=minute): value for minute, value in series.items()}
            times = {
                at: value
                for at, value in times.items()
                if arguments["StartTime"] <= at < arguments["EndTime"]
            }
            results.append({"Id": query["Id"], "Timestamps": list(times), "Values": list(times.values())})
        return {"MetricDataResults": results}

    def _events(self, arguments: dict[str, Any]) -> dict[str, Any]:
        self.scans.append(arguments)
        events = []
        for number, (minute, version, message) in enumerate(self.marks):
            at = int((BASE + timedelta(minutes=minute)).timestamp() * 1000)
            if arguments["startTime"] <= at <= arguments["endTime"]:
                stream = f"2026/11/21/[{version}]aa"
                events.append(
                    {"timestamp": at, "message": message, "logStreamName": stream, "eventId": f"{number}"}
                )
        return {"events": events}


class Pages:
    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def paginate(self, **arguments: Any) -> Iterator[Any]:
        yield self._answer(arguments)


def look(minutes: float, *shifts: tuple[float, float], functions: int = 1, watched: int = 0) -> Look:
    """A look so many minutes after BASE; shifts are (weight, minute)."""
    return Look(
        served=tuple(rolling(f"F{i}" if i else "F") for i in range(functions)),
        watched=tuple(rolling(f"W{i}") for i in range(watched)),
        shifts=[(weight, BASE + timedelta(minutes=at)) for weight, at in shifts or ((0.1, -0.2),)],
        now=BASE + timedelta(minutes=minutes),
        terms=TERMS,
    )


def read(cloud: Cloud, at: Look, cursor: Cursor | None = None) -> Any:
    return read_metrics(cloud, at, cursor or Cursor())  # type: ignore[arg-type]


def test_each_period_is_read_once_when_it_has_arrived() -> None:
    cloud = Cloud({("Invocations", "7"): {0: 90, 1: 80, 2: 70}, ("Invocations", "8"): {0: 10, 1: 9}})
    batches, cursor = read(cloud, look(4.5))
    assert [(b.key[-13:], b.stable.requests, b.canary.requests, b.weight) for b in batches] == [
        (f"F#m{BASE.timestamp():.0f}"[-13:], 90, 10, 0.1)
    ]
    assert (batches[0].seconds, batches[0].stable.slow) == (60, ())
    calls = len(cloud.calls)
    assert read(cloud, look(4.9), cursor) == ((), cursor)
    assert len(cloud.calls) == calls
    batches, cursor = read(cloud, look(6.1), cursor)
    assert [b.stable.requests for b in batches] == [80, 70]
    assert cloud.calls[-1]["StartTime"] == BASE + timedelta(minutes=1)
    assert len(cloud.scans) == 2


def test_a_period_waits_for_the_time_limit_of_what_may_still_run_in_it() -> None:
    cloud = Cloud({("Invocations", "8"): {0: 10}})
    patient = dataclasses.replace(look(5.9), limit=300)
    assert not read(cloud, patient)[0]
    batches, _ = read(cloud, dataclasses.replace(look(6.1), limit=300))
    assert [b.canary.requests for b in batches] == [10]


def test_a_period_of_two_weights_is_left_out_with_its_failures() -> None:
    cloud = Cloud(
        {
            ("Invocations", "8"): {0: 10, 1: 10, 2: 10, 3: 10},
            ("Errors", "8"): {1: 10, 2: 1, 3: 0},
        }
    )
    batches, _ = read(cloud, look(8, (0.1, -0.2), (0.5, 1.5)))
    assert [(b.weight, b.canary.requests, b.canary.failed) for b in batches] == [
        (0.1, 10, 0),
        (0.5, 10, 1),
        (0.5, 10, 0),
    ]


def test_a_request_counts_once_though_its_error_and_its_mark_are_of_two_minutes() -> None:
    cloud = Cloud({("Invocations", "8"): {0: 5, 1: 5, 2: 5}, ("Errors", "8"): {0: 2}})
    cloud.marks = [(1.1, "8", '{"requestId": "r1"}'), (1.2, "8", '{"requestId": "r2"}')]
    cloud.marks += [(1.3, "8", '{"requestId": "r2"}'), (2.5, "8", '{"requestId": "r3"}'), (2.5, "9", "x")]
    batches, cursor = read(cloud, look(5.1))
    more, _ = read(cloud, look(6.1), cursor)
    assert [b.canary.failed for b in (*batches, *more)] == [2, 0, 1]


def test_a_probes_mark_is_no_users_failure() -> None:
    """The alias's metrics do not have Tidegate's own invocations; the log has."""
    cloud = Cloud({("Invocations", "8"): {0: 5}})
    cloud.marks = [(0.1, "8", '{"requestId": "probe"}'), (0.2, "8", '{"requestId": "r1"}')]
    terms = TERMS.model_copy(update={"left_out": ("probe",)})
    (batch,), _ = read(cloud, dataclasses.replace(look(4.1), terms=terms))
    assert batch.canary.failed == 1


def test_more_failures_than_requests_wait_for_theirs() -> None:
    cloud = Cloud({("Invocations", "8"): {0: 1, 1: 5}, ("Errors", "8"): {0: 3}})
    batches, _ = read(cloud, look(5.1))
    assert [(b.canary.requests, b.canary.failed) for b in batches] == [(1, 1), (5, 2)]


@pytest.mark.parametrize(("heard", "silent"), [(False, {"W0"}), (True, set())])
def test_a_watched_function_is_listened_for_until_it_is_heard(heard: bool, silent: set[str]) -> None:
    cloud = Cloud({("Invocations", ""): {0: 4, 1: 3}})
    cursor = Cursor(telemetry={"W0": Read(heard=heard)})
    _, cursor = read(cloud, look(4.1, functions=0, watched=1), cursor)
    assert not cursor.silent
    _, cursor = read(cloud, look(5.1, functions=0, watched=1), cursor)
    assert set(cursor.silent) == silent


@pytest.mark.parametrize(("functions", "calls"), [(0, 0), (1, 1), (125, 1), (126, 2), (1000, 8)])
def test_many_functions_take_few_calls(functions: int, calls: int) -> None:
    cloud = Cloud({("Invocations", "7"): {0: 5}})
    batches, cursor = read(cloud, look(6, (0.1, -1), functions=functions))
    assert len(cloud.calls) == calls
    assert all(len(call["MetricDataQueries"]) <= 500 for call in cloud.calls)
    assert len(batches) == functions
    assert len(cursor.model_dump_json()) < 300 * (functions + 2)


def test_nothing_was_shifted_and_nothing_is_read(ref: ReleaseRef) -> None:
    cloud: Any = Cloud()
    observation, cursor = observe(cloud, ref, [rolling()], [], Cursor(), BASE, TERMS)
    assert (observation.batches, observation.source, observation.delay) == ((), METRICS, 240)
    assert cursor == Cursor(metrics_to=cursor.metrics_to)


@pytest.fixture
def ref() -> ReleaseRef:
    from tidegate.domain.identity import ReleaseRef

    return ReleaseRef(service="orders", id="0123456789ab-1", execution="arn", epoch=1, opened_at=BASE)


def test_the_last_day_gives_thresholds() -> None:
    durations = {f"p{q}": float(q) for q in (75, 90, 95, 99)}
    values: Any = {
        ("Invocations", "7", "Sum"): {-2000: 10.0, -600: 1000.0},
        ("Errors", "7", "Sum"): {-2000: 9.0, -600: 3.0},
    }
    values |= {("Duration", "7", stat): {-2000: 1.0, -600: value} for stat, value in durations.items()}
    cloud: Any = Cloud(values)
    functions = [rolling(f"F{i}") for i in range(100)]
    found = read_history(cloud, functions, {f"F{i}": Profile(memory=512) for i in range(100)}, BASE)
    assert len(cloud.calls) == 2
    slow = (75.0, 90.0, 95.0, 99.0)
    costly = tuple(value / 2 for value in slow)
    assert found["F7"] == LastDay(requests=1000, errors=3, thresholds=Thresholds(slow=slow, costly=costly))
    assert read_history(Cloud(), [rolling()], {}, BASE)["F"] == LastDay()  # type: ignore[arg-type]
