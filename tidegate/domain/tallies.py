"""From the attempts that were collected to batches: who failed, which batches are closed, what came late.

A batch is closed once none of its requests is running any more: their beginnings are known from the log, so a
function with a long time limit is not waited for where nothing hangs. What comes later still is given as a
batch of its own, for exactly the difference.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from tidegate.domain.attempts import COLD, FAILED, NOBODY, TIMED_OUT, Attempt, Flag
from tidegate.domain.batches import INITS, Arm, Batch
from tidegate.domain.observing import Counted, Read, Thresholds
from tidegate.domain.warming import Age, grow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

PATIENCE: Final = 60.0  # seconds that a batch is kept open at most for a request that runs
UNKNOWN_LAG: Final = 10.0  # seconds on AWS from a line to its counting, before any was measured
LONGEST_LAG: Final = 60.0
TOLERANCE: Final = 50  # milliseconds by which a line's time may miss its request's
# A version's numbers: requests, failed, timed out, warm, cold, init, billed, the cold ones above each of
# INITS, and the warm ones above thresholds.
Numbers = tuple[float, ...]
PLAIN: Final = 7
FIXED: Final = PLAIN + len(INITS)
REQUESTS, FAILURES, TIMEOUTS = 0, 1, 2


@dataclass
class Stream:
    """What was collected of one log stream, which is one environment's; `name` is unique in a function."""

    version: str
    name: str
    attempts: list[Attempt] = field(default_factory=list)
    flags: list[Flag] = field(default_factory=list)
    starts: list[tuple[int, bytes]] = field(default_factory=list)


@dataclass(frozen=True)
class Collected:
    """What was collected of one function, by log stream; lags are (seconds, requests)."""

    streams: tuple[Stream, ...]
    lags: tuple[tuple[float, int], ...]


@dataclass(frozen=True)
class Rules:
    """How a function's telemetry is read: lengths in milliseconds, the time limit in seconds.

    `weigh` gives the one weight between two moments, or None. Requests `left_out` (digests of their ids) are
    nobody's: Tidegate made them itself.
    """

    function: str
    stable: str
    canary: str
    length: int
    timeout: float
    pace: float
    thresholds: Thresholds
    weigh: Callable[[datetime, datetime], float | None]
    allowance: float = 0
    left_out: frozenset[bytes] = frozenset()


@dataclass(frozen=True)
class Given:
    """What a look gives of one function; `delay` in seconds from a request's start to its judgement."""

    batches: tuple[Batch, ...]
    read: Read
    delay: float


def give(collected: Collected, rules: Rules, read: Read, since: int, now: int) -> Given:
    """The batches that are new since `read`; `collected` holds everything from `since` on (ms since 1970)."""
    quiet = measure_quiet(collected.lags, rules.pace)
    closed = max(read.closed, close_to(collected, rules, quiet, now))
    counted = {batch: one for batch, one in read.counted.items() if batch >= since}
    served = ((stream.name, [one.at for one in stream.attempts]) for stream in collected.streams)
    ages = grow(read.ages, served, since, closed)
    batches = []
    for batch, (stable, canary) in sorted(tally(collected, rules, ages).items()):
        weight = rules.weigh(_moment(batch), _moment(batch + rules.length))
        if batch >= closed or batch < since or not weight:
            continue
        before = counted.get(batch)
        fresh = Counted(
            stable=_grow(before.stable if before else (), stable),
            canary=_grow(before.canary if before else (), canary),
            late=(before.late if before else 0) + (batch < read.closed),
        )
        if before is not None and (fresh.stable, fresh.canary) == (before.stable, before.canary):
            continue
        counted[batch] = fresh
        batches.append(_batch(rules, batch, weight, before, fresh, late=batch < read.closed))
    usual = min(_quantile95([(one.duration / 1000, 1) for one in _all(collected)]), PATIENCE)
    delay = rules.length / 1000 + quiet + usual
    heard = read.heard or bool(_all(collected))
    return Given(tuple(batches), Read(closed=closed, heard=heard, counted=counted, ages=ages), delay)


def _all(collected: Collected) -> list[Attempt]:
    return [one for stream in collected.streams for one in stream.attempts]


def measure_quiet(lags: Iterable[tuple[float, int]], pace: float) -> float:
    """Seconds after a batch's end until what is known of it is all: nearly the longest lag that was seen.

    A single delivery that was repeated does not hold everything up: twice the 95th percentile is enough.
    """
    known = sorted(lags)
    if not known:
        return UNKNOWN_LAG * pace
    return min(known[-1][0], 2 * _quantile95(known), LONGEST_LAG)


def _quantile95(weighted: list[tuple[float, int]]) -> float:
    """The 95th percentile of values with their counts; 0 of nothing."""
    left = math.ceil(0.95 * sum(count for _, count in weighted))
    for value, count in sorted(weighted):
        left -= count
        if left <= 0:
            return value
    return 0.0


def close_to(collected: Collected, rules: Rules, quiet: float, now: int) -> int:
    """The beginning of the first batch that is not closed yet.

    Batches wait for requests that run, and where a log tells of no beginnings for as long as one may.
    """
    patience = min(rules.timeout, PATIENCE) * 1000
    known = now - quiet * 1000
    running, told = find_running(collected)
    if not told:
        return math.floor((known - patience) / rules.length) * rules.length
    end = math.floor(known / rules.length) * rules.length
    return min([end, *(batch for batch in running if batch + rules.length + patience > known)])


def find_running(collected: Collected) -> tuple[list[int], bool]:
    """The batches in which requests began that have not ended, and whether beginnings are told at all."""
    running: list[int] = []
    starts = 0
    for stream in collected.streams:
        ended = Counter(one.request for one in stream.attempts)
        starts += len(stream.starts)
        for batch, request in sorted(stream.starts):
            if ended[request] > 0:
                ended[request] -= 1
            else:
                running.append(batch)
    return running, 2 * starts >= len(_all(collected))


def tally(collected: Collected, rules: Rules, ages: Mapping[str, Age]) -> dict[int, tuple[Numbers, Numbers]]:
    """Both versions' numbers by batch; `ages` are those of the streams."""
    width = FIXED + len(rules.thresholds.slow) + len(rules.thresholds.costly)
    limits = {rules.stable: rules.thresholds, rules.canary: rules.thresholds.widen(rules.allowance)}
    sums: dict[str, defaultdict[int, list[float]]] = {
        version: defaultdict(lambda: [0.0] * width) for version in (rules.stable, rules.canary)
    }
    for stream in collected.streams:
        if stream.version not in sums:
            continue
        flags = attribute(stream.attempts, stream.flags)
        for attempt in stream.attempts:
            if attempt.request in rules.left_out:
                continue
            batch = sums[stream.version][attempt.at // rules.length * rules.length]
            marks = attempt.flags | flags.get(attempt.event, 0)
            young = attempt.at <= ages[stream.name].until
            allowance = rules.allowance if stream.version == rules.canary else 0.0
            found = _numbers(attempt, marks, limits[stream.version], allowance, young=young)
            for index, value in enumerate(found):
                batch[index] += value
    stable, canary = sums[rules.stable], sums[rules.canary]
    return {batch: (tuple(stable[batch]), tuple(canary[batch])) for batch in {*stable, *canary}}


def _numbers(
    attempt: Attempt, flags: int, thresholds: Thresholds, allowance: float, *, young: bool
) -> list[float]:
    cold = bool(flags & COLD)
    warm = not cold and not young
    return [
        1,
        bool(flags & (FAILED | TIMED_OUT)),
        bool(flags & TIMED_OUT),
        warm,
        cold,
        attempt.init,
        attempt.billed,
        *(cold and attempt.init > limit * (1 + allowance) for limit in INITS),
        *(warm and attempt.duration > limit for limit in thresholds.slow),
        *(warm and attempt.billed > limit for limit in thresholds.costly),
    ]


def attribute(attempts: Sequence[Attempt], flags: Iterable[Flag]) -> dict[bytes, int]:
    """What marks say of the attempts of one stream, by their event: by the request, else by the time.

    A request that was tried again in the same environment has several attempts: the time tells them apart.
    """
    ordered = sorted(attempts, key=lambda one: one.at)
    times = [one.at for one in ordered]
    of_request: defaultdict[bytes, list[Attempt]] = defaultdict(list)
    for one in ordered:
        of_request[one.request].append(one)
    found: defaultdict[bytes, int] = defaultdict(int)
    for flag in flags:
        named = of_request.get(flag.request, []) if flag.request != NOBODY else []
        index = bisect_right(times, flag.at + TOLERANCE) - 1
        near = named or (ordered[index : index + 1] if index >= 0 else [])
        within = [one for one in near if one.at - TOLERANCE <= flag.at <= one.at + one.duration + TOLERANCE]
        for one in (within or named)[-1:]:
            found[one.event] |= TIMED_OUT | FAILED if flag.timed_out else FAILED
    return found


def _grow(before: Numbers, now: Numbers) -> Numbers:
    """What has been given after this look: all of `now`, but no failure without its request.

    A mark may come after its request has been given as one that went well. Given alone it would be a failure
    of nobody, so it waits for a request that comes late too.
    """
    if not before:
        return now
    grown = list(now)
    room = now[REQUESTS] - before[REQUESTS]
    for index in (FAILURES, TIMEOUTS):
        grown[index] = min(now[index], before[index] + room)
    return tuple(grown)


def _batch(
    rules: Rules, batch: int, weight: float, before: Counted | None, now: Counted, *, late: bool
) -> Batch:
    key = f"{rules.function}#{batch}" + (f"#late{now.late}" if late else "")
    return Batch(
        key=key,
        function=rules.function,
        at=batch / 1000,
        seconds=rules.length / 1000,
        weight=weight,
        stable=_arm(before.stable if before else (), now.stable, rules.thresholds),
        canary=_arm(before.canary if before else (), now.canary, rules.thresholds),
    )


def _arm(before: Numbers, now: Numbers, thresholds: Thresholds) -> Arm:
    """A version's requests that are new; floating sums may miss zero by a hair."""
    old = before or (0.0,) * len(now)
    new = [max(0.0, after - past) for past, after in zip(old, now, strict=True)]
    slow = FIXED + len(thresholds.slow)
    return Arm(
        requests=round(new[0]),
        failed=round(new[1]),
        timed_out=round(new[2]),
        warm=round(new[3]),
        cold=round(new[4]),
        init=new[5],
        billed=new[6],
        slow_inits=tuple(map(round, new[PLAIN:FIXED])) if round(new[4]) else (),
        slow=tuple(map(round, new[FIXED:slow])),
        costly=tuple(map(round, new[slow:])),
    )


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def collect(items: Iterable[tuple[int, str, str, Mapping[str, Iterable[bytes]]]]) -> Collected:
    """What shares hold, each (batch, version, stream, elements by kind), by stream."""
    from tidegate.domain import attempts as codec

    streams: dict[tuple[str, str], Stream] = {}
    lags: list[tuple[float, int]] = []
    for batch, version, name, parts in items:
        stream = streams.setdefault((version, name), Stream(version, f"{version}#{name}"))
        stream.attempts += codec.read_attempts(batch, parts.get("attempts", ()))
        stream.flags += codec.read_flags(batch, parts.get("marks", ()))
        stream.starts += [(batch, one) for one in codec.read_starts(parts.get("starts", ()))]
        lags += codec.read_lags(parts.get("lags", ()))
    return Collected(tuple(streams.values()), tuple(lags))
