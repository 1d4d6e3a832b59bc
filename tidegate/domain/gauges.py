"""Gauges: what shows how both versions fare together, and when it keeps a rollout from going on.

A queue's depth, throttles or an API's 5XX belong to no version, so they are never evidence against one: a
gauge that is out of its bounds holds, or ends the rollout as an operator's own limit does, or is told. Its
bounds are what it showed in the hour before the rollout, and a floor below which nothing holds; so what was
as bad before the new version does not keep a fix from going out. What shows nothing holds nothing: silence
is no reading. May not judge requests, nor know how metrics are asked for.
"""

from __future__ import annotations

from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from pydantic import Field

from tidegate.domain.identity import Frozen
from tidegate.domain.signals import Mode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tidegate.domain.config import SignalsConfig

WINDOW: Final = 5  # periods that a reading looks back over: the newest ones may still be on their way
BEFORE: Final = 60  # periods before the rollout that a gauge is compared with
RISE: Final = 1.5  # times what was usual, from which on a gauge is out of its bounds
CLOSE: Final = 1.1  # the same for concurrency, which cannot go far beyond what is near its limit already
NEAR_LIMIT: Final = 0.9  # of a limit of concurrency
LEAST_ERRORS: Final = 5  # answers with 5XX in a window that a share is made of
SHOWN: Final = 6  # sentences of one kind


class Guard(StrEnum):
    """What a gauge is of; each has a mode of this name in `signals` of tidegate.yaml."""

    DEAD_LETTERS = "dead_letters"
    DROPPED_EVENTS = "dropped_events"
    THROTTLES = "throttles"
    CONCURRENCY = "concurrency"
    QUEUE_DEPTH = "queue_depth"
    QUEUE_AGE = "queue_age"
    ITERATOR_AGE = "iterator_age"
    API_ERRORS = "api_errors"


class Reading(StrEnum):
    """How a value is made of the periods of a window: their sum, the newest, how much it grew, or a share."""

    TOTAL = "total"
    LATEST = "latest"
    GROWTH = "growth"
    SHARE = "share"


FLOORS: Final = {
    Guard.DEAD_LETTERS: 1.0,
    Guard.DROPPED_EVENTS: 1.0,
    Guard.THROTTLES: 1.0,
    Guard.QUEUE_DEPTH: 100.0,
    Guard.QUEUE_AGE: 60.0,
    Guard.ITERATOR_AGE: 60_000.0,
    Guard.API_ERRORS: 0.01,
}
AGES: Final = frozenset({Guard.QUEUE_AGE, Guard.ITERATOR_AGE})
BACKLOGS: Final = frozenset({Guard.QUEUE_DEPTH, *AGES})  # what may have been growing all along
TEXTS: Final = {
    (Guard.DEAD_LETTERS, Reading.TOTAL): "{} events reached neither their dead letter queue nor destination",
    (Guard.DEAD_LETTERS, Reading.GROWTH): "{} dead letters came in",
    (Guard.DROPPED_EVENTS, Reading.TOTAL): "{} asynchronous events were given up",
    (Guard.THROTTLES, Reading.TOTAL): "{} requests were throttled",
    (Guard.CONCURRENCY, Reading.LATEST): "{} executions at once, of {most:,.0f} that are allowed",
    (Guard.QUEUE_DEPTH, Reading.LATEST): "{} messages wait",
    (Guard.QUEUE_AGE, Reading.LATEST): "the oldest message has waited for {}",
    (Guard.ITERATOR_AGE, Reading.LATEST): "its records are read {} late",
    (Guard.API_ERRORS, Reading.SHARE): "{} of the requests were answered with 5XX",
}


class Metric(Frozen):
    """A metric of CloudWatch, by what identifies it, and the statistic of each period."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    stat: str = "Sum"


class Gauge(Frozen):
    """One gauge: `of` is what it is read of, in words; `functions` the logical ids of those concerned.

    `among` counts what a share is of, `most` is a limit of concurrency. `usual` is the greatest reading of
    the time before `since` (seconds since 1970), `growth` how much a backlog grew by each second then.
    """

    guard: Guard
    reading: Reading
    of: str
    functions: tuple[str, ...]
    metric: Metric
    among: Metric | None = None
    floor: float
    most: float = 0
    usual: float = 0
    growth: float = 0
    since: int = 0

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What is asked for to read it."""
        return (self.metric, self.among) if self.among else (self.metric,)

    def limit(self, at: int) -> float:
        """What it may show at most at a time. A backlog that grew before may go on to grow."""
        expected = self.usual + self.growth * max(0, at - self.since)
        return (CLOSE if self.guard is Guard.CONCURRENCY else RISE) * expected


class Gauges(Frozen):
    """All gauges of a stage's rollout, and in sentences what has none though it should."""

    gauges: tuple[Gauge, ...] = ()
    unread: tuple[str, ...] = ()


class Gauged(Frozen):
    """What the gauges show in the periods before `at`, in sentences by what follows of them.

    broken: of signals that end a rollout. holds: of those that hold it. told: of those that are only
    observed, and of what was no better before the rollout.
    """

    at: int = Field(0, description="the end of the newest period that was read, in seconds since 1970")
    broken: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()
    told: tuple[str, ...] = ()


class Points(NamedTuple):
    """A gauge's metric, and what it is a share of, by the beginning of each period that has data."""

    values: Mapping[int, float]
    among: Mapping[int, float]


def measure(gauge: Gauge, points: Points, end: int, period: int) -> float | None:
    """What a gauge shows over the window that ends at `end`; None where there is no data."""
    window = range(end - WINDOW * period, end, period)
    known = [points.values[at] for at in window if at in points.values]
    if gauge.reading is Reading.SHARE:
        requests = sum(points.among.get(at, 0) for at in window)
        if not requests:
            return None
        return sum(known) / requests if sum(known) >= LEAST_ERRORS else 0.0
    if not known:
        return None
    if gauge.reading is Reading.LATEST:
        return known[-1]
    if gauge.reading is Reading.TOTAL:
        return sum(known)
    return _grow([points.values.get(at) for at in (window[0] - period, *window)])


def _grow(values: Iterable[float | None]) -> float:
    """By how much a level rose, falls left out; what was not known cannot have been risen from."""
    known = [value for value in values if value is not None]
    return sum(max(0.0, after - before) for before, after in pairwise(known))


def calibrate(gauge: Gauge, points: Points, end: int, period: int) -> Gauge:
    """The gauge with what was usual in the hour before `end`; nothing known is nothing usual."""
    if not points.values:
        return gauge.model_copy(update={"since": end})
    first = end - BEFORE * period
    ends = range(first + WINDOW * period, end + 1, period)
    shown = [value for at in ends if (value := measure(gauge, points, at, period)) is not None]
    if gauge.reading is Reading.SHARE:
        shown.append(sum(points.values.values()) / max(1.0, sum(points.among.values())))
    growth = _trend(points.values, first, end, period) if gauge.guard in BACKLOGS else 0.0
    return gauge.model_copy(update={"usual": max(shown, default=0.0), "growth": growth, "since": end})


def _trend(values: Mapping[int, float], first: int, end: int, period: int) -> float:
    """How much a level rose in a second: the mean of the last quarter less that of the first."""
    quarter = BEFORE // 4 * period
    early = [value for at, value in values.items() if first <= at < first + quarter]
    late = [value for at, value in values.items() if end - quarter <= at < end]
    if not early or not late:
        return 0.0
    return max(0.0, sum(late) / len(late) - sum(early) / len(early)) / (BEFORE * period - quarter)


def assess(
    gauges: Sequence[Gauge], readings: Sequence[float | None], signals: SignalsConfig, at: int
) -> Gauged:
    """What follows of the readings, one of each gauge, for the time until `at`."""
    sentences: dict[str, list[str]] = {"broken": [], "holds": [], "told": []}
    for gauge, value in zip(gauges, readings, strict=True):
        if value is None or value < gauge.floor:
            continue
        mode = signals.mode(gauge.guard)
        if value <= gauge.limit(at):
            sentences["told"].append(f"{describe(gauge, value)}, which does not count")
        elif mode is Mode.OBSERVE:
            sentences["told"].append(f"{describe(gauge, value)} (only observed)")
        else:
            kind = "broken" if mode is Mode.ENFORCE else "holds"
            sentences[kind].append(describe(gauge, value))
    return Gauged(at=at, **{kind: tuple(_shorten(found)) for kind, found in sentences.items()})


def _shorten(sentences: Sequence[str]) -> Iterator[str]:
    yield from sentences[:SHOWN]
    if len(sentences) > SHOWN:
        yield f"and {len(sentences) - SHOWN:,} more of the kind"


def describe(gauge: Gauge, value: float) -> str:
    """`queue orders (Ship): 4,210 messages wait, at most 900 in the hour before the first shift`."""
    text = TEXTS[gauge.guard, gauge.reading].format(_tell(gauge, value), most=gauge.most)
    usual = f"at most {_tell(gauge, gauge.usual)}" if gauge.usual else "none"
    grown = ", and more all the time" if gauge.growth else ""
    return f"{gauge.of}: {text}, {usual} in the hour before the first shift{grown}"


def _tell(gauge: Gauge, value: float) -> str:
    if gauge.reading is Reading.SHARE:
        return f"{value:.1%}"
    if gauge.guard in AGES:
        return f"{value / 1000 if gauge.guard is Guard.ITERATOR_AGE else value:,.0f} s"
    return f"{value:,.0f}"
