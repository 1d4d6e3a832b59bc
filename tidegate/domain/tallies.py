"""From the attempts that were collected to batches: who failed, which batches are closed, what came late.

A batch is closed once none of its requests is running any more: their beginnings are known from the log, so
a function with a long time limit is not waited for where nothing hangs. Where one hangs, nobody waits for a
limit of minutes: a request of either version that runs for longer than `Rules.patience` has failed, at once
and for good, whatever becomes of it. What comes later still is a batch of its own, for exactly the
difference.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from tidegate.domain.attempts import COLD, FAILED, NOBODY, TIMED_OUT, Attempt, Flag
from tidegate.domain.batches import INITS, Arm, Batch
from tidegate.domain.closing import close_to, find_running, measure_quiet, quantile95
from tidegate.domain.observing import Counted, Read, Thresholds
from tidegate.domain.warming import Age, grow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tidegate.domain.collected import Collected, Rules, Stream

TOLERANCE: Final = 50  # milliseconds by which a line's time may miss its request's
# A version's numbers: requests, failed, timed out, warm, cold, init, billed, the cold ones above each of
# INITS, and the warm ones above thresholds.
Numbers = tuple[float, ...]
PLAIN: Final = 7
FIXED: Final = PLAIN + len(INITS)
REQUESTS, FAILURES, TIMEOUTS = 0, 1, 2
HUNG: Final = (1, 1, 1)  # requests, failures and timeouts of a request that nobody waits for any longer


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
    for batch, (stable, canary) in sorted(tally(collected, rules, ages, closed).items()):
        weight = rules.weigh(_moment(batch), _moment(batch + rules.length))
        if batch < since or not weight:
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
    usual = min(quantile95([(one.duration / 1000, 1) for one in collected.attempts]), rules.patience)
    delay = max(rules.length / 1000 + quiet + usual, (now - closed) / 1000)
    heard = read.heard or bool(collected.attempts)
    return Given(tuple(batches), Read(closed=closed, heard=heard, counted=counted, ages=ages), delay)


def tally(
    collected: Collected, rules: Rules, ages: Mapping[str, Age], closed: int
) -> dict[int, tuple[Numbers, Numbers]]:
    """Both versions' numbers by batch before `closed`; `ages` are those of the streams."""
    width = FIXED + len(rules.thresholds.slow) + len(rules.thresholds.costly)
    sums: dict[str, defaultdict[int, list[float]]] = {
        version: defaultdict(lambda: [0.0] * width) for version in (rules.stable, rules.canary)
    }
    for stream in collected.streams:
        if stream.version not in sums:
            continue
        hanging = find_running(stream, rules) if rules.hurries and collected.tells_starts else []
        for batch, found in (
            *_count(stream, rules, ages[stream.name].until),
            *((batch, HUNG) for batch, request in hanging if request not in rules.left_out),
        ):
            if batch < closed:
                row = sums[stream.version][batch]
                for index, value in enumerate(found):
                    row[index] += value
    stable, canary = sums[rules.stable], sums[rules.canary]
    return {batch: (tuple(stable[batch]), tuple(canary[batch])) for batch in {*stable, *canary}}


def _count(stream: Stream, rules: Rules, young: int) -> Iterator[tuple[int, Sequence[float]]]:
    """Each attempt's batch and numbers; what began up to `young` is of the environment's first requests."""
    allowance = rules.allowance if stream.version == rules.canary else 0.0
    limits = rules.thresholds if stream.version == rules.stable else rules.thresholds.widen(allowance)
    flags = attribute(stream.attempts, stream.flags)
    for attempt in stream.attempts:
        if attempt.request in rules.left_out:
            continue
        marks = attempt.flags | flags.get(attempt.event, 0)
        hung = rules.is_hanging(attempt.duration)
        found = HUNG if hung else _numbers(attempt, marks, limits, allowance, young=attempt.at <= young)
        yield attempt.at // rules.length * rules.length, found


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
    of nobody, so it waits for a request that comes late too. What has been given is never taken back.
    """
    if not before:
        return now
    grown = [max(past, found) for past, found in zip(before, now, strict=True)]
    room = grown[REQUESTS] - before[REQUESTS]
    for index in (FAILURES, TIMEOUTS):
        grown[index] = min(grown[index], before[index] + room)
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
