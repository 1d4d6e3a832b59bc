"""The first requests of an environment: left out of what is slow, whatever became of them, and of nothing else."""

from __future__ import annotations

import math
import random
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.deliveries import BASE, LENGTH, SHIFTED, Table, report
from tidegate.domain import judging
from tidegate.domain.judging import Moment, Policy, Status
from tidegate.domain.observing import Read, Thresholds, find_weight
from tidegate.domain.warming import FORGOTTEN, YOUNG, Age, grow

if TYPE_CHECKING:
    from tidegate.domain.batches import Arm, Batch
    from tidegate.domain.log_lines import Report

USUAL = 100.0  # milliseconds in the median
SPREAD = 0.4
LIMITS = Thresholds(slow=tuple(USUAL * math.exp(SPREAD * z) for z in (0.6745, 1.2816, 1.6449, 2.3263)))
STREAMS = {"7": 12, "8": 8}  # environments
WEIGHT = 0.25
LAST = 400  # seconds that a rollout is watched


def serve(seed: int, *, slower: float) -> list[tuple[str, str, Report]]:
    """(version, stream, report) of 20 requests a second; those of the new version's environments are new.

    The first requests of an environment take up to four times as long, the less the later.
    """
    rng = random.Random(seed)  # noqa: S311 (no secret)
    served = dict.fromkeys([("7", n) for n in range(STREAMS["7"])], 10_000)
    found = []
    for number in range(20 * LAST):
        version = "8" if rng.random() < WEIGHT else "7"
        key = (version, rng.randrange(STREAMS[version]))
        served[key] = age = served.get(key, 0) + 1
        fresh = 1 + 3 * math.exp(-age / 4)
        duration = USUAL * math.exp(SPREAD * rng.gauss(0, 1)) * fresh * (slower if version == "8" else 1)
        init = 300.0 if age == 1 else None
        found.append(
            (version, str(key[1]), report(number, 50 * number + round(duration), duration, init=init))
        )
    return found


def judge(served: list[tuple[str, str, Report]], *, old: bool) -> tuple[Status, str]:
    """The last verdict on what was served, looked at every ten seconds; `old` counts first requests in."""
    policy = Policy(longest_hold=2 * LAST)
    state = judging.begin({"F": judging.History(error_rate=0.001, requests=5000, rate=20)})
    state = judging.shift(state, WEIGHT, SHIFTED.timestamp())
    table = Table()
    weigh = partial(find_weight, [(WEIGHT, SHIFTED)], writing=0.0, spread=5.0)
    read = Read()
    for now in range(10_000, LAST * 1000, 10_000):
        for version, stream, one in served[(now - 10_000) // 50 : now // 50]:
            table.deliver(version, one, stream=stream)
        given_now = table.look(now, None if old else read, weigh=weigh, thresholds=LIMITS, allowance=0.1)
        read = given_now.read
        state = judging.observe(state, given_now.batches, policy)
        verdict = judging.decide(state, policy, Moment(now=BASE / 1000 + now / 1000, delay=20.0))
        if verdict.status is Status.ROLLBACK:
            break
    return verdict.status, verdict.reason


@pytest.mark.parametrize("seed", range(3))
def test_a_healthy_version_with_fresh_environments_is_not_rolled_back_and_a_slower_one_is(seed: int) -> None:
    healthy = serve(seed, slower=1.0)
    assert judge(healthy, old=True)[0] is Status.ROLLBACK, "counted in, they condemn it"
    assert judge(healthy, old=False)[0] is not Status.ROLLBACK
    status, reason = judge(serve(seed, slower=1.6), old=False)
    assert status is Status.ROLLBACK
    assert "slower" in reason


def sums(batches: tuple[Batch, ...], version: str = "8") -> tuple[int, int, int, int]:
    """(requests, failed, warm, slow)."""
    arms: list[Arm] = [batch.canary if version == "8" else batch.stable for batch in batches]
    counts = [(arm.requests, arm.failed, arm.warm, sum(arm.slow[:1])) for arm in arms]
    return tuple(map(sum, zip(*counts, strict=True)))  # type: ignore[return-value]


@pytest.mark.parametrize("version", ["7", "8"])
def test_the_first_requests_of_each_environment_count_in_all_but_what_is_slow(version: str) -> None:
    table = Table()
    for number in range(YOUNG + 3):
        for stream in "st":
            one = report(number, 200 * number + 150, 150.0, event=f"{stream}{number}", failed=number == 2)
            table.deliver(version, one, stream=stream)
    batches = table.look(60_000, Read(), since=BASE - LENGTH).batches
    assert sums(batches, version) == (2 * (YOUNG + 3), 2, 6, 6)


def test_they_are_counted_over_looks_and_an_environment_of_before_gives_its_own_too() -> None:
    table, read, found = Table(), Read(), ()
    for look in range(1, 9):
        since = BASE + max(0, look - 2) * LENGTH
        for number in range(5 * (look < 8)):
            begun = LENGTH * (look - 1) + 900 * number
            table.deliver("7", report(100 * look + number, begun + 50))
        given_now = table.look(LENGTH * look + 1100, read, since=since)
        read = Read.model_validate_json(given_now.read.model_dump_json())
        found += given_now.batches
    assert [batch.stable.requests for batch in found] == [5] * 7
    assert [batch.stable.warm for batch in found] == [0, 0, 0, 0, 5, 5, 5]


def test_what_comes_late_or_again_moves_nothing_that_was_given() -> None:
    table = Table()
    every = [report(number, 500 * number + 50) for number in range(YOUNG + 6)]
    early, last = every[3], every[-1]
    for one in every:
        if one not in (early, last):
            table.deliver("8", one)
    first = table.look(30_000, Read(), since=BASE - LENGTH)
    assert sums(first.batches)[2] == 4
    table.deliver("8", early, last, every[0])
    second = table.look(40_000, first.read, since=BASE - LENGTH)
    assert sums(second.batches) == (2, 0, 1, 0), "the early one is of the first, though it was not counted so"
    assert not table.look(50_000, second.read, since=BASE - LENGTH).batches


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4), st.lists(st.integers(1, 20), min_size=1, max_size=6))
def test_which_these_are_depends_on_when_they_began_alone(seed: int, streams: int, pauses: list[int]) -> None:
    """However it is delivered and looked at, outcomes change nothing of how many are judged of each batch."""

    def play(outcome: random.Random) -> tuple[list[tuple[str, int, int]], int, int]:
        chance = random.Random(seed)  # noqa: S311 (no secret)
        table, read, now, found, number = Table(), Read(), 5000, [], 0
        requests: dict[int, int] = {}
        for pause in [*pauses, 60]:
            for _ in range(chance.randrange(40)):
                begun, stream, number = now - chance.randrange(9000), chance.randrange(streams), number + 1
                requests[stream] = requests.get(stream, 0) + 1
                failed, billed = outcome.random() < 0.5, outcome.random() * 100
                one = report(number, begun + 20, 20.0, failed=failed, billed=billed)
                for _ in range(1 + chance.randrange(2)):
                    table.deliver("8", one, stream=str(stream))
            now += pause * 1000
            given_now = table.look(now, read, since=BASE - 2 * LENGTH)
            read = Read.model_validate_json(given_now.read.model_dump_json())
            found += [(batch.key, batch.canary.requests, batch.canary.warm) for batch in given_now.batches]
        usual = sum(max(0, count - YOUNG) for count in requests.values())
        return found, usual, sum(requests.values())

    one, usual, requests = play(random.Random(1))  # noqa: S311
    other, _, _ = play(random.Random(2))  # noqa: S311
    assert one == other
    assert sum(count for _, count, _ in one) == requests
    assert sum(warm for _, _, warm in one) <= usual


def test_the_ages_are_those_of_environments_that_live() -> None:
    hour = FORGOTTEN
    ages = grow({}, [(f"8#{n}", list(range(n, n + YOUNG))) for n in range(1000)], 0, hour)
    assert all(age == Age(YOUNG, n + YOUNG - 1) for n, age in enumerate(ages.values()))
    assert len(Read(ages=ages).model_dump_json()) < 40_000
    later = grow(ages, [("8#600", [hour])], hour + 500, 2 * hour)
    assert later["8#600"] == Age(YOUNG, hour + 499)
    assert len(later) == 1000 - (500 - YOUNG + 1)
    assert set(grow(later, [("8#1", [3 * hour])], 3 * hour, 4 * hour)) == {"8#1"}
    # An age moves along with what is read, and never past it: what begins at `since` is counted.
    assert grow(later, [("8#600", [])], 2 * hour, 3 * hour)["8#600"].until == 2 * hour - 1
