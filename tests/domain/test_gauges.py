"""Gauges by value: what they show, what is usual, and what follows of it by mode."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.config import SignalsConfig
from tidegate.domain.gauges import (
    BEFORE,
    FLOORS,
    WINDOW,
    Gauge,
    Gauged,
    Guard,
    Metric,
    Points,
    Reading,
    assess,
    calibrate,
    describe,
    measure,
)

PERIOD = 60
END = 1_800_000_000 // PERIOD * PERIOD
SIGNALS = SignalsConfig()
SHOWN_BY = {
    Guard.DEAD_LETTERS: Reading.GROWTH,
    Guard.DROPPED_EVENTS: Reading.TOTAL,
    Guard.THROTTLES: Reading.TOTAL,
    Guard.CONCURRENCY: Reading.LATEST,
    Guard.QUEUE_DEPTH: Reading.LATEST,
    Guard.QUEUE_AGE: Reading.LATEST,
    Guard.ITERATOR_AGE: Reading.LATEST,
    Guard.API_ERRORS: Reading.SHARE,
}


def gauge(guard: Guard, **changes: Any) -> Gauge:
    values = {
        "guard": guard,
        "reading": SHOWN_BY[guard],
        "of": "queue orders (Ship)",
        "functions": ("Ship",),
        "metric": Metric(namespace="N", name="M", dimensions=()),
        "floor": FLOORS.get(guard, 90.0),
        "most": 100 if guard is Guard.CONCURRENCY else 0,
    }
    return Gauge.model_validate(values | changes)


def series(*values: float | None, end: int = END) -> dict[int, float]:
    """The newest last; None for a period without data."""
    first = end - len(values) * PERIOD
    return {first + at * PERIOD: value for at, value in enumerate(values) if value is not None}


def points(*values: float | None, among: float = 0, end: int = END) -> Points:
    counted = series(*values, end=end)
    return Points(values=counted, among=dict.fromkeys(counted, among))


def after(found: Gauge, *values: float | None, among: float = 0, minutes: int = 10) -> Gauged:
    """What follows so many minutes after the gauge was set."""
    end = END + minutes * PERIOD
    shown = measure(found, points(*values, among=among, end=end), end, PERIOD)
    return assess([found], [shown], SIGNALS, end)


def set_by(guard: Guard, *hour: float, among: float = 0) -> Gauge:
    values = hour if len(hour) == BEFORE else hour * BEFORE
    return calibrate(gauge(guard), points(*values, among=among), END, PERIOD)


@pytest.mark.parametrize(
    ("guard", "values", "shown"),
    [
        (Guard.THROTTLES, (7, 1, None, 2, 0, 3), 6),
        (Guard.QUEUE_DEPTH, (900, 300, 200, None, None), 200),
        (Guard.DEAD_LETTERS, (10, 10, 12, 3, None, 4), 3),
        (Guard.DEAD_LETTERS, (None, None, None, None, 400), 0),
        (Guard.API_ERRORS, (3, 3), 0.06),
        (Guard.API_ERRORS, (2, 2), 0),
    ],
)
def test_a_reading_is_made_of_the_last_minutes(guard: Guard, values: tuple[float, ...], shown: float) -> None:
    assert measure(gauge(guard), points(*values, among=50), END, PERIOD) == pytest.approx(shown)


@pytest.mark.parametrize("guard", Guard)
def test_silence_is_no_reading_and_holds_nothing(guard: Guard) -> None:
    found = calibrate(gauge(guard), points(), END, PERIOD)
    assert measure(found, points(), END, PERIOD) is None
    assert after(found, None) == Gauged(at=END + 10 * PERIOD)
    assert measure(found, points(5, 5, end=END - WINDOW * PERIOD), END, PERIOD) is None


@pytest.mark.parametrize(
    ("guard", "value", "usual"),
    [
        (Guard.THROTTLES, 1, 0),
        (Guard.DROPPED_EVENTS, 1, 0),
        (Guard.QUEUE_DEPTH, 151, 100),
        (Guard.QUEUE_AGE, 61, 5),
        (Guard.ITERATOR_AGE, 61_000, 900),
        (Guard.CONCURRENCY, 90, 70),
    ],
)
def test_what_is_out_of_its_bounds_holds(guard: Guard, value: float, usual: float) -> None:
    found = set_by(guard, usual)
    assert found.usual == usual * (WINDOW if guard in {Guard.THROTTLES, Guard.DROPPED_EVENTS} else 1)
    shown = after(found, value)
    assert len(shown.holds) == 1
    assert shown.told == shown.broken == ()
    assert not after(found, usual).holds


def test_a_queue_that_is_always_deep_does_not_hold_and_says_so() -> None:
    found = set_by(Guard.QUEUE_DEPTH, 10_000)
    (sentence,) = after(found, 12_000).told
    assert sentence == (
        "queue orders (Ship): 12,000 messages wait, at most 10,000 in the hour before the first shift, "
        "which does not count"
    )
    assert after(found, 15_001).holds


def test_a_backlog_that_grew_before_may_go_on_to_grow() -> None:
    """It broke with the stable version: the fix must get out."""
    found = set_by(Guard.QUEUE_DEPTH, *(100.0 * minute for minute in range(BEFORE)))
    assert found.growth == pytest.approx(100 / PERIOD)
    shown = after(found, 5_900 + 100 * 30, minutes=30)
    assert not shown.holds
    assert "and more all the time" in shown.told[0]
    assert after(found, 20_000, minutes=30).holds


def test_a_stream_that_stands_still_since_before_does_not_hold() -> None:
    found = set_by(Guard.ITERATOR_AGE, *(60_000.0 * minute for minute in range(BEFORE)))
    assert not after(found, 60_000.0 * (BEFORE + 240), minutes=240).holds


def test_an_api_that_fails_one_in_a_hundred_holds_at_more_than_that() -> None:
    found = set_by(Guard.API_ERRORS, 1, among=100)
    assert found.usual == pytest.approx(0.01)
    assert not after(found, 1, 1, 1, 1, 2, among=100).holds
    (sentence,) = after(found, 2, 2, 2, 2, 2, among=100).holds
    assert sentence.startswith(
        "queue orders (Ship): 2.0% of the requests were answered with 5XX, at most 1.0%"
    )


def test_rare_5xx_that_came_before_too_do_not_hold_by_their_number() -> None:
    """Too few in any window of the hour to be a share, as many as that altogether."""
    found = set_by(Guard.API_ERRORS, *([1.0] * (BEFORE // 5) * 5), among=50)
    assert not after(found, 1, 1, 1, 1, 1, among=50).holds


def test_concurrency_that_was_near_its_limit_before_does_not_hold() -> None:
    found = set_by(Guard.CONCURRENCY, 95)
    assert "95 executions at once, of 100 that are allowed" in after(found, 95).told[0]
    assert not after(found, 100).holds
    assert after(set_by(Guard.CONCURRENCY, 40), 89) == Gauged(at=END + 10 * PERIOD)


def test_dead_letters_that_keep_coming_in_hold_where_they_come_faster() -> None:
    found = set_by(Guard.DEAD_LETTERS, *map(float, range(BEFORE)))
    assert found.usual == WINDOW
    assert not after(found, 100, 101, 102, 103, 104, 105).holds
    assert (
        after(found, 100, 104, 108, 112, 116, 120)
        .holds[0]
        .startswith("queue orders (Ship): 20 dead letters came in, at most 5 in the hour")
    )


@pytest.mark.parametrize(("mode", "kind"), [("enforce", "broken"), ("hold", "holds"), ("observe", "told")])
def test_what_follows_is_the_mode_s(mode: str, kind: str) -> None:
    signals = SignalsConfig.model_validate({"throttles": mode})
    shown = assess([gauge(Guard.THROTTLES)], [12], signals, END).model_dump(exclude={"at"})
    assert {name for name, sentences in shown.items() if sentences} == {kind}
    assert "12 requests were throttled, none in the hour before the first shift" in shown[kind][0]


def test_of_very_many_the_first_are_told() -> None:
    shown = assess([gauge(Guard.THROTTLES)] * 1000, [1.0] * 1000, SIGNALS, END)
    assert len(shown.holds) == 7
    assert shown.holds[-1] == "and 994 more of the kind"


@pytest.mark.parametrize("guard", Guard)
def test_each_has_a_mode_a_floor_and_a_sentence(guard: Guard) -> None:
    assert SIGNALS.mode(guard) == "hold"
    assert describe(gauge(guard), 7).startswith("queue orders (Ship): ")


hours = st.lists(st.one_of(st.none(), st.floats(0, 1e6)), min_size=BEFORE, max_size=BEFORE)


@given(st.sampled_from(sorted(SHOWN_BY)), hours)
def test_what_goes_on_as_in_the_hour_before_never_holds(guard: Guard, hour: list[float | None]) -> None:
    before = points(*hour, among=2e6)
    found = calibrate(gauge(guard), before, END, PERIOD)
    for end in range(END - (BEFORE - WINDOW) * PERIOD, END + 1, PERIOD):
        assert not assess([found], [measure(found, before, end, PERIOD)], SIGNALS, END).holds


@given(st.sampled_from(sorted(SHOWN_BY)), hours, st.floats(0, 1e7), st.floats(0, 1e7))
def test_more_never_holds_less(guard: Guard, hour: list[float | None], one: float, other: float) -> None:
    found = calibrate(gauge(guard), points(*hour, among=2e6), END, PERIOD)
    less, more = (assess([found], [value], SIGNALS, END) for value in sorted((one, other)))
    assert len(less.holds) <= len(more.holds)
