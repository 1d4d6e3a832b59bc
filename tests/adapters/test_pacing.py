"""Calls are spread as Lambda's quotas ask, over all threads, and a rollback's go first."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.adapters.pacing import RATES, Pacer, TokenBucket, find_pacer, pace

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


def test_an_urgent_call_never_waits_and_the_others_pay() -> None:
    time = Time()
    bucket = time.bucket(10, burst=1)
    assert bucket.take() == 0
    assert [bucket.take(urgent=True) for _ in range(20)] == [0.0] * 20
    assert bucket.take() == pytest.approx(2.1)


@given(st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=80), st.floats(1, 50), st.integers(1, 20))
def test_in_no_time_are_more_calls_than_the_rate_and_one_burst(
    asked: list[tuple[float, bool]], rate: float, burst: int
) -> None:
    """For every stretch of time between two calls that are not urgent: at most burst + rate * its length."""
    time = Time()
    bucket = time.bucket(rate, burst)
    made: list[float] = []
    for pause, _ in asked:
        time.now += pause
        bucket.take()
        made.append(time.now)
    for first, start in enumerate(made):
        for last in range(first, len(made)):
            assert last - first + 1 <= burst + rate * (made[last] - start) + 1 + 1e-6


def test_each_quota_has_a_bucket_of_its_own() -> None:
    time = Time()
    pacer = Pacer(time.bucket)
    for _ in range(int(RATES["GetFunction"])):
        assert pacer.take("GetFunction") == 0
    for operation in ("GetPolicy", "UpdateAlias", "GetAlias"):
        assert pacer.take(operation) == 0
    assert [pacer.take("Invoke") for _ in range(1000)] == [0.0] * 1000
    assert [pacer.take("UpdateAlias") for _ in range(14)][-1] > 0
    assert pacer.take("UpdateAlias", urgent=True) == 0


def test_threads_share_a_bucket() -> None:
    bucket = TokenBucket(200, 10)
    start = monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: bucket.take(), range(50)))
    assert monotonic() - start >= 40 / 200


def test_an_account_and_region_has_one_pacer() -> None:
    assert find_pacer("1", "eu-west-1") is find_pacer("1", "eu-west-1")
    assert find_pacer("1", "eu-west-1") is not find_pacer("1", "eu-west-2")


def test_every_call_of_a_client_waits_for_its_turn(scene: Scene) -> None:
    time = Time()
    taken: list[str] = []

    class Seen(Pacer):
        def take(self, operation: str, *, urgent: bool = False) -> float:
            taken.append(operation)
            return super().take(operation, urgent=urgent)

    client = scene.cloud.client("lambda")
    for _ in range(2):
        pace(client, Seen(time.bucket))
    client.list_functions(MaxItems=1)
    client.list_event_source_mappings()
    assert taken == ["ListFunctions", "ListEventSourceMappings"]
