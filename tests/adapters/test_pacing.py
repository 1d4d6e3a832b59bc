"""Calls are spread as Lambda's quotas ask, over all threads, and a rollback's first ones wait for nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from time import monotonic
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.adapters.pacing import (
    BURST,
    QUOTAS,
    Pacer,
    TokenBucket,
    Window,
    find_pacer,
    keep_pace,
    set_pacer,
)

if TYPE_CHECKING:
    from tests.scene import Scene


class Time:
    """A clock that only sleeping and `pass_` move."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def bucket(self, rate: float, burst: float | None = None) -> TokenBucket:
        return TokenBucket(rate, burst, clock=self.clock, sleep=self.sleep)


def test_a_burst_is_free_and_what_follows_is_spread() -> None:
    time = Time()
    bucket = time.bucket(15)
    assert [bucket.take() for _ in range(15)] == [0.0] * 15
    assert bucket.take() == pytest.approx(1 / 15)
    for _ in range(150):
        bucket.take()
    assert time.now == pytest.approx(151 / 15)


@pytest.mark.parametrize("quota", [15, 100])
@given(st.lists(st.floats(0, 0.5), max_size=250), st.booleans())
def test_in_no_second_are_more_calls_than_the_quota(quota: int, pauses: list[float], urgent: bool) -> None:
    time = Time()
    spread = time.bucket(quota * (1 - BURST), quota * BURST)
    bucket = Window(quota, clock=time.clock, sleep=time.sleep) if urgent else spread
    made: list[float] = []
    for pause in pauses:
        time.now += pause if pause > 0.1 else 0
        bucket.take()
        made.append(time.now)
    for first, last in pairwise(range(0, len(made), quota)):
        assert made[last] - made[first] > 1 - 1e-6


def test_a_rollback_of_a_small_service_waits_for_nothing() -> None:
    time = Time()
    window = Window(15, clock=time.clock, sleep=time.sleep)
    assert [window.take() for _ in range(15)] == [0.0] * 15
    assert window.take() > 1
    assert [window.take() for _ in range(14)] == [0.0] * 14
    assert window.take() > 1


@given(st.lists(st.floats(0, 3), max_size=80), st.floats(1, 50), st.integers(1, 20))
def test_in_no_time_are_more_calls_than_the_rate_and_one_burst(
    asked: list[float], rate: float, burst: int
) -> None:
    """For every stretch of time between two calls: at most burst + rate * its length."""
    time = Time()
    bucket = time.bucket(rate, burst)
    made: list[float] = []
    for pause in asked:
        time.now += pause
        bucket.take()
        made.append(time.now)
    for first, start in enumerate(made):
        for last in range(first, len(made)):
            assert last - first + 1 <= burst + rate * (made[last] - start) + 1 + 1e-6


def test_each_quota_has_a_bucket_of_its_own() -> None:
    time = Time()
    pacer = Pacer(time.bucket)
    for _ in range(QUOTAS["GetFunction"]):
        assert pacer.take("GetFunction") == 0
    for operation in ("GetPolicy", "UpdateAlias", "GetAlias"):
        assert pacer.take(operation) == 0
    assert [pacer.take("Invoke") for _ in range(1000)] == [0.0] * 1000
    assert [pacer.take("UpdateAlias") for _ in range(14)][-1] > 0


def test_threads_share_a_bucket() -> None:
    bucket = TokenBucket(200, 10)
    start = monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: bucket.take(), range(50)))
    assert monotonic() - start >= 40 / 200


def test_an_account_and_region_has_one_pacer() -> None:
    assert find_pacer("1", "eu-west-1") is find_pacer("1", "eu-west-1")
    assert find_pacer("1", "eu-west-1") is not find_pacer("1", "eu-west-2")
    assert find_pacer("1", "eu-west-1", urgent=True) is not find_pacer("1", "eu-west-1")
    own = Pacer(TokenBucket)
    set_pacer("1", "eu-west-2", own)
    assert find_pacer("1", "eu-west-2") is own
    assert find_pacer("1", "eu-west-2", urgent=True) is own


def test_every_call_of_a_client_waits_for_its_turn(scene: Scene) -> None:
    time = Time()
    taken: list[str] = []

    class Seen(Pacer):
        def take(self, operation: str) -> float:
            taken.append(operation)
            return super().take(operation)

    client = scene.cloud.client("lambda")
    keep_pace(client, Pacer(time.bucket))
    keep_pace(client, Seen(time.bucket))
    client.list_functions(MaxItems=1)
    client.list_event_source_mappings()
    assert taken == ["ListFunctions", "ListEventSourceMappings"]
