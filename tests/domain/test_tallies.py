"""Batches from what was collected: each event once, the late ones as differences, closed when nobody runs."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.deliveries import BASE, LENGTH, SHIFTED, Table, report
from tidegate.domain.attempts import LARGEST, Share, digest, share_out, sort_key, thin_out
from tidegate.domain.batches import Arm, Batch
from tidegate.domain.closing import measure_quiet
from tidegate.domain.log_lines import Mark, Start
from tidegate.domain.observing import LEAST, Cursor, Read, Thresholds, find_weight


def one(batches: tuple[Batch, ...]) -> Batch:
    (batch,) = batches
    return batch


def start(number: int, at: int) -> Start:
    return Start(f"s{number}", BASE + at, f"r{number}")


def test_requests_fall_into_the_batch_that_they_began_in() -> None:
    table = Table()
    table.deliver("7", start(1, 4900), report(1, 5200, 300.0))
    table.deliver("8", start(2, 4000), report(2, 4050, init=120.0, failed=True), stream="t")
    table.deliver("9", start(3, 4000), report(3, 4050), stream="u")
    batch = one(table.look(20_000).batches)
    assert (batch.key, batch.function, batch.at, batch.seconds) == (f"F#{BASE}", "F", BASE / 1000, 5)
    assert batch.weight == 0.1
    assert batch.stable == Arm(requests=1, warm=1, slow=(1, 0), costly=(1,), billed=150)
    assert batch.canary == Arm(
        requests=1,
        failed=1,
        cold=1,
        init=120,
        billed=25,
        slow=(0, 0),
        costly=(0,),
        slow_inits=(1, 0, 0, 0, 0, 0, 0, 0),
    )


def test_a_delivery_that_comes_again_counts_once_and_a_retry_counts() -> None:
    table = Table()
    first = report(1, 1000, failed=True)
    for _ in range(3):
        table.deliver("8", first)
    table.deliver("8", first, report(1, 2000, event="another", failed=True))
    assert one(table.look(20_000).batches).canary.requests == 2
    assert one(table.look(20_000).batches).canary.failed == 2


def test_marks_fail_their_request_once() -> None:
    table = Table()
    marks = [Mark(f"m{i}", BASE + 1000, "r1") for i in range(3)]
    table.deliver("8", *marks, report(1, 1010), report(2, 1500))
    assert one(table.look(20_000).batches).canary.failed == 1


def test_a_mark_without_a_name_is_of_the_request_that_ran_then() -> None:
    table = Table()
    table.deliver("8", Mark("m1", BASE + 7000, ""))
    table.deliver("8", Mark("m2", BASE + 60, "of-somebody-else", timed_out=True))
    table.deliver("8", report(1, 8000, 4000.0), report(2, 80, 50.0), report(3, 3000))
    batches = {batch.at: batch.canary for batch in table.look(30_000).batches}
    assert batches[BASE / 1000].requests == 3
    assert batches[BASE / 1000].failed == 2
    assert batches[BASE / 1000].timed_out == 1


def test_the_time_tells_which_try_of_a_request_was_marked() -> None:
    table = Table()
    again = report(1, 61_000, event="again", request="r1")
    table.deliver("8", report(1, 1000), again, Mark("m", BASE + 60_990, "r1"))
    batches = table.look(200_000).batches
    assert [batch.canary.failed for batch in batches] == [0, 1]


def test_a_batch_waits_for_those_that_run_but_not_for_what_might() -> None:
    table = Table()
    table.deliver("7", start(1, 1000), report(1, 1100))
    table.deliver("8", start(2, 1000), stream="t")
    # The lag is a second: what began before 5 s is known at 6 s, and the one that runs is waited for.
    assert not table.look(8_000, timeout=30).batches
    table.deliver("8", report(2, 8_000, 7_000.0), stream="t")
    assert one(table.look(9_500, timeout=30).batches).canary.requests == 1


def test_nobody_is_waited_for_longer_than_the_time_limit() -> None:
    table = Table()
    table.deliver("7", start(1, 1000), report(1, 1100))
    table.deliver("8", start(2, 1000), stream="t")
    assert not table.look(8_900).batches
    found = table.look(9_100)
    assert one(found.batches).canary.requests == 0
    table.deliver("8", report(2, 9_200, 8_200.0), stream="t")
    late = one(table.look(11_000, found.read).batches)
    assert late.key == f"F#{BASE}#late1"
    assert (late.stable.requests, late.canary.requests) == (0, 1)


def test_a_log_without_beginnings_is_waited_for_as_long_as_a_request_may_last() -> None:
    table = Table()
    table.deliver("7", report(1, 1100))
    assert not table.look(8_900).batches
    assert table.look(9_100).batches
    assert not table.look(905_900, timeout=900).batches
    assert table.look(906_100, timeout=900).batches


LONG = Thresholds(slow=(100.0, 20_000.0))  # a q99 of 20 s: a request that runs for 80 s hangs


def test_a_request_that_hangs_has_failed_long_before_its_time_limit_and_for_good() -> None:
    table = Table()
    table.deliver("7", start(1, 1000), report(1, 1100))
    table.deliver("8", start(2, 1000), stream="t")
    patient = {"timeout": 900, "thresholds": LONG}
    waiting = table.look(85_900, **patient)
    assert not waiting.batches
    assert waiting.delay == pytest.approx(85.9)
    found = table.look(86_100, **patient)
    batch = one(found.batches)
    assert batch.canary == Arm(requests=1, failed=1, timed_out=1, slow=(0, 0))
    assert (batch.stable.requests, batch.stable.failed) == (1, 0)
    # What becomes of it changes nothing, whenever that is seen.
    table.deliver("8", report(2, 120_000, 119_000.0), stream="t")
    assert not table.look(130_000, found.read, **patient).batches
    assert one(table.look(130_000, **patient).batches).canary == batch.canary


def test_an_environment_that_went_on_to_another_request_does_not_hang() -> None:
    table = Table()
    table.deliver("8", start(1, 1000), start(2, 6000), report(2, 6100))
    table.deliver("7", start(3, 7000), report(3, 7100), stream="t")
    found = table.look(12_000, timeout=900, thresholds=LONG)
    assert [batch.canary.requests for batch in found.batches] == [1]


def test_without_a_history_a_request_may_run_for_as_long_as_its_limit() -> None:
    table = Table()
    table.deliver("7", start(1, 1000), report(1, 1100))
    table.deliver("8", start(2, 1000), stream="t")
    assert not table.look(905_900, timeout=900, thresholds=Thresholds()).batches


def test_what_comes_late_is_given_as_the_difference_and_once() -> None:
    table = Table()
    table.deliver("7", report(1, 1000), report(2, 1200, 150.0))
    first = table.look(20_000)
    assert one(first.batches).stable.requests == 2
    assert not table.look(25_000, first.read).batches
    table.deliver("7", report(3, 1500, 450.0, failed=True))
    second = table.look(30_000, first.read)
    late = one(second.batches)
    assert (late.key, late.at, late.weight) == (f"F#{BASE}#late1", BASE / 1000, 0.1)
    assert late.stable == Arm(requests=1, failed=1, warm=1, slow=(1, 1), costly=(1,), billed=225)
    table.deliver("8", report(4, 1500), stream="t")
    third = table.look(35_000, second.read)
    assert one(third.batches).key == f"F#{BASE}#late2"
    assert not table.look(40_000, third.read).batches


def test_a_mark_that_comes_after_its_request_was_given_is_no_failure_of_nobody() -> None:
    table = Table()
    table.deliver("8", report(1, 1000))
    first = table.look(20_000)
    table.deliver("8", Mark("m", BASE + 990, "r1"))
    second = table.look(25_000, first.read)
    assert not second.batches
    table.deliver("8", report(2, 1300))
    assert one(table.look(30_000, second.read).batches).canary == Arm(
        requests=1, failed=1, warm=1, slow=(0, 0), costly=(0,), billed=25
    )


def test_batches_of_more_than_one_weight_are_left_out() -> None:
    table = Table()
    for number, end in enumerate((1000, 6000, 11_000, 16_000, 21_000)):
        table.deliver("7", report(number, end))
    moment = datetime.fromtimestamp(BASE / 1000 + 7, UTC)
    weigh = partial(find_weight, [(0.1, SHIFTED), (0.5, moment)], writing=0.0, spread=5.0)
    found = {batch.at - BASE / 1000: batch.weight for batch in table.look(60_000, weigh=weigh).batches}
    assert found == {0: 0.1, 15: 0.5, 20: 0.5}


@pytest.mark.parametrize(
    ("begin", "expected"),
    [(-70, None), (-58, None), (-50, 0.1), (4, None), (9, None), (12, 0.5), (100, 0.5)],
)
def test_a_weight_holds_from_its_spread_to_the_next_writing(begin: int, expected: float | None) -> None:
    base = datetime.fromtimestamp(BASE / 1000, UTC)
    shifts = [(0.1, SHIFTED), (0.5, base + timedelta(seconds=7))]
    at = base + timedelta(seconds=begin)
    assert find_weight(shifts, at, at + timedelta(seconds=2), writing=2.0, spread=5.0) == expected


@pytest.mark.parametrize(
    ("lags", "quiet"),
    [((), 10.0), (((1.0, 10),), 1.0), (((1.0, 100), (1.5, 1)), 1.5), (((1.0, 100), (70.0, 1)), 2.0)],
)
def test_the_quiet_is_measured(lags: tuple[tuple[float, int], ...], quiet: float) -> None:
    assert measure_quiet(lags, 1.0) == quiet


def test_a_cursor_is_a_document() -> None:
    table = Table()
    table.deliver("8", report(1, 1000))
    cursor = Cursor(telemetry={"F": table.look(20_000).read})
    assert Cursor.model_validate_json(cursor.model_dump_json()) == cursor


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 60), st.lists(st.integers(1, 30), min_size=1, max_size=8))
def test_however_it_is_delivered_and_looked_at_each_request_counts_once(
    seed: int, requests: int, pauses: list[int]
) -> None:
    """Deliveries in any order and grouping, some twice; looks at any times: the sums are what happened."""
    chance = random.Random(seed)  # noqa: S311 (no secret)
    every = [
        report(
            number, chance.randrange(100, 40_000), chance.choice([5.0, 90.0]), failed=chance.random() < 0.2
        )
        for number in range(requests)
    ]
    versions = [chance.choice("78") for _ in every]
    order = [chance.randrange(requests) for _ in range(requests)] + list(range(requests))
    table, read, given_batches, now = Table(), Read(), [], 5_000
    for pause in [*pauses, 200]:
        for _ in range(chance.randrange(1, 10)):
            if order:
                index = order.pop(0)
                table.deliver(versions[index], every[index], stream=f"s{index % 3}")
        if pause == 200:
            for index in order:
                table.deliver(versions[index], every[index], stream=f"s{index % 3}")
        now += pause * 1000
        found = table.look(now, read, since=BASE - LENGTH)
        given_batches += found.batches
        read = Read.model_validate_json(found.read.model_dump_json())
    assert len({batch.key for batch in given_batches}) == len(given_batches)
    for version, side in (("7", "stable"), ("8", "canary")):
        own = [item for item, of in zip(every, versions, strict=True) if of == version]
        arms = [getattr(batch, side) for batch in given_batches]
        assert sum(arm.requests for arm in arms) == len(own)
        assert sum(arm.failed for arm in arms) == sum(item.failed for item in own)
        assert all(arm.failed <= arm.requests for arm in arms)


def test_an_item_that_grows_too_large_is_sampled_by_the_events_ids_alone() -> None:
    def share(failed: bool) -> Share:
        items = [report(number, 1000, failed=failed) for number in range(20_000)]
        return share_out(items, LENGTH, BASE)[BASE]

    well, badly = thin_out(share(failed=False), 0), thin_out(share(failed=True), 0)
    assert {one[:8] for one in well.attempts} == {one[:8] for one in badly.attempts}
    assert 0 < well.size < LARGEST
    assert thin_out(Share(attempts={digest("x", 8) + bytes(21)}), LARGEST // 2).attempts


def test_what_a_request_says_many_times_is_one_mark() -> None:
    marks = [Mark(f"m{number}", BASE + number % 5000, "r1") for number in range(22_000)]
    found = share_out([*marks, Mark("timed", BASE + 1, "r1", timed_out=True)], LENGTH, BASE)[BASE]
    assert len(found.marks) == 2
    assert share_out(reversed(marks), LENGTH, BASE)[BASE].marks < found.marks


@pytest.mark.parametrize("name", ["r{}", ""])
@pytest.mark.parametrize("deliveries", [1, 11])
def test_marks_that_grow_too_many_go_by_the_time_alone(name: str, deliveries: int) -> None:
    """DynamoDB refuses an item of more than 400 KB, and every later delivery for it with it."""
    table, known, standing = Table(), 0, set[bytes]()
    marks = [Mark(f"m{number}", BASE + number % 5000, name.format(number)) for number in range(22_000)]
    for first in range(deliveries):
        found = thin_out(share_out(marks[first::deliveries], LENGTH, BASE)[BASE], known)
        standing |= found.marks
        known = sum(len(one) + 3 for one in standing)
    assert known < LARGEST * 3 // 2
    table.items[sort_key(BASE, "8", "s")] = Share(marks=standing)
    table.deliver("8", report(1, 1000), report(30_000, 6100, 10.0))
    assert [batch.canary.failed for batch in table.look(20_000).batches] == [1, 0]


@given(st.lists(st.floats(0, 1000), max_size=4).map(sorted), st.floats(0, 2))
def test_the_new_version_may_be_slower_by_its_allowance(limits: list[float], allowance: float) -> None:
    known = Thresholds(slow=tuple(limits), costly=tuple(limits))
    widened = known.widen(allowance)
    assert all(wide >= limit + LEAST for wide, limit in zip(widened.slow, limits, strict=True))
    assert all(wide >= limit for wide, limit in zip(widened.costly, limits, strict=True))
    assert list(widened.slow) == sorted(widened.slow)
    assert known.widen(0).costly == known.costly
