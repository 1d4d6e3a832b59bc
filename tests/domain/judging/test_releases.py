"""Whole releases, simulated: healthy ones are promoted, bad ones rolled back, incidents of both named."""

from __future__ import annotations

import pytest

from tests.domain.judging.rollouts import release
from tidegate.domain.judging import Policy, Status


@pytest.mark.parametrize("seed", range(4))
def test_a_healthy_version_is_promoted_within_minutes(seed: int) -> None:
    verdict, seconds, _ = release(seed, lambda _: (0.001, 0.001))
    assert verdict.status is Status.PROMOTE
    assert seconds < 600


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("rate", "failed"), [(1.0, 25), (0.1, 40), (0.02, 60)])
def test_a_bad_version_is_rolled_back_after_few_failures(seed: int, rate: float, failed: int) -> None:
    verdict, _, _ = release(seed, lambda _: (0.001, rate))
    assert verdict.status is Status.ROLLBACK
    assert verdict.functions[0].canary.failed <= failed


@pytest.mark.parametrize("seed", range(4))
def test_a_slow_version_is_rolled_back(seed: int) -> None:
    assert release(seed, lambda _: (0.001, 0.001), slower=2.5)[0].status is Status.ROLLBACK


@pytest.mark.parametrize("seed", range(6))
def test_a_burst_that_hits_both_versions_is_named_and_survived(seed: int) -> None:
    def burst(time: float) -> tuple[float, float]:
        return (0.3, 0.3) if 40 <= time < 160 else (0.001, 0.001)

    verdict, _, met = release(seed, burst)
    assert Status.HOLD_DOWNSTREAM in met
    assert verdict.status is Status.PROMOTE


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("broken", [0.1, 1.0])
def test_the_fix_of_a_stable_version_that_has_just_broken_is_promoted(seed: int, broken: float) -> None:
    verdict, seconds, _ = release(seed, lambda _: (broken, 0.001))
    assert verdict.status is Status.PROMOTE
    assert seconds < 600


@pytest.mark.parametrize("seed", range(3))
def test_a_version_that_is_worse_within_the_burst_is_rolled_back(seed: int) -> None:
    assert release(seed, lambda _: (0.2, 0.7))[0].status is Status.ROLLBACK


@pytest.mark.parametrize("seed", range(3))
def test_a_fault_that_begins_late_is_found(seed: int) -> None:
    policy = Policy(late=True, least_seconds=3600, longest_hold=7200)
    verdict, seconds, _ = release(seed, lambda time: (0.001, 0.001 if time < 600 else 0.03), policy=policy)
    assert verdict.status is Status.ROLLBACK
    assert seconds < 700


@pytest.mark.parametrize("seed", range(3))
def test_little_traffic_is_topped_up_by_probes(seed: int) -> None:
    policy = Policy(longest_hold=1800)
    _, long, _ = release(seed, lambda _: (0.001, 0.001), rps=1, policy=policy)
    topped, short, _ = release(seed, lambda _: (0.001, 0.001), rps=1, probes=10, policy=policy)
    assert topped.status is Status.PROMOTE
    assert short < long / 2


def test_no_traffic_is_no_evidence() -> None:
    verdict, _, _ = release(1, lambda _: (0, 0), rps=0, policy=Policy(longest_hold=600))
    assert verdict.status is Status.INSUFFICIENT_EVIDENCE
