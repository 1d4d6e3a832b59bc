"""The judge: properties of its evidence, exact where that is possible, and its verdicts by value."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.judge import FALSE_ROLLBACK, Counts, Policy, Sample, Status, judge, measure_evidence

counts = st.integers(0, 400).flatmap(
    lambda n: st.builds(Counts, requests=st.just(n), failed=st.integers(0, n))
)
samples = st.builds(Sample, function=st.just("F"), stable=counts, canary=counts)
weights = st.integers(1, 99)


def sample(
    canary: tuple[int, int], stable: tuple[int, int], *, name: str = "F", throttles: int = 0
) -> Sample:
    return Sample(
        function=name,
        canary=Counts(requests=canary[1], failed=canary[0]),
        stable=Counts(requests=stable[1], failed=stable[0]),
        throttles=throttles,
    )


@given(samples, weights)
def test_one_more_canary_failure_never_lowers_the_evidence(found: Sample, weight: int) -> None:
    if found.canary.failed < found.canary.requests:
        more = sample(
            (found.canary.failed + 1, found.canary.requests), (found.stable.failed, found.stable.requests)
        )
        assert measure_evidence(more, weight) >= measure_evidence(found, weight) * (1 - 1e-9)


@given(samples, weights)
def test_one_more_stable_failure_never_raises_the_evidence(found: Sample, weight: int) -> None:
    if found.stable.failed < found.stable.requests:
        more = sample(
            (found.canary.failed, found.canary.requests), (found.stable.failed + 1, found.stable.requests)
        )
        assert measure_evidence(more, weight) <= measure_evidence(found, weight) * (1 + 1e-9)


@given(samples, weights)
def test_evidence_is_a_positive_number(found: Sample, weight: int) -> None:
    strength = measure_evidence(found, weight)
    assert strength >= 0
    assert math.isfinite(strength)


@given(counts, weights, st.booleans())
def test_an_empty_arm_or_no_failure_is_no_evidence(found: Counts, weight: int, canary: bool) -> None:
    nothing = Counts(requests=0, failed=0)
    one_arm = Sample(function="F", canary=found if canary else nothing, stable=nothing if canary else found)
    assert measure_evidence(one_arm, weight) == 1
    quiet = Counts(requests=found.requests, failed=0)
    assert measure_evidence(Sample(function="F", canary=quiet, stable=quiet), weight) == 1


def hypergeometric(requests: int, canary: int, failed: int) -> list[tuple[int, float]]:
    """(failures that fell on the canary, probability) where a failure does not depend on the version."""
    ways = math.comb(requests, canary)
    return [
        (k, math.comb(failed, k) * math.comb(requests - failed, canary - k) / ways)
        for k in range(max(0, canary - requests + failed), min(failed, canary) + 1)
    ]


@pytest.mark.parametrize(
    ("requests", "canary"), [(n, c) for n in range(2, 21) for c in range(1, n) if 100 * c % n == 0]
)
def test_the_mean_under_the_null_is_at_most_one(requests: int, canary: int) -> None:
    """Exact, by enumeration, where the canary got its nominal share (Hoeffding 1963)."""
    weight = 100 * canary // requests
    for failed in range(requests + 1):
        mean = sum(
            p * measure_evidence(sample((k, canary), (failed - k, requests - canary)), weight)
            for k, p in hypergeometric(requests, canary, failed)
        )
        assert mean <= 1 + 1e-9


@pytest.mark.parametrize("weight", [1, 10, 25, 50, 90])
def test_strong_evidence_is_as_rare_as_it_says_when_the_share_is_random_too(weight: int) -> None:
    """Exact: each of a few requests goes to the canary by chance, and no failure depends on the version."""
    v = weight / 100
    for requests in (1, 5, 12, 20):
        for failed in range(requests + 1):
            rare = dict.fromkeys((2, 10, 100), 0.0)
            for canary in range(requests + 1):
                routed = math.comb(requests, canary) * v**canary * (1 - v) ** (requests - canary)
                for k, p in hypergeometric(requests, canary, failed):
                    strength = measure_evidence(sample((k, canary), (failed - k, requests - canary)), weight)
                    for level in rare:
                        rare[level] += routed * p * (strength >= level)
            assert all(probability <= 1 / level + 1e-9 for level, probability in rare.items())


@pytest.mark.parametrize(("rate", "requests"), [(0.002, 200), (0.05, 60), (0.3, 40), (0.9, 40)])
def test_hundreds_of_equally_bad_releases_are_not_rolled_back(rate: float, requests: int) -> None:
    """Two weights, four looks at growing windows each: at most one release in a hundred is turned back."""
    chance = random.Random(20)  # noqa: S311 (the same numbers in every run)
    releases, looks, steps = 400, 4, (10, 50)
    policy = Policy(minimum_invocations=20, looks=len(steps))
    rolled_back = 0
    for _ in range(releases):
        verdicts = []
        for weight in steps:
            seen = {True: [0, 0], False: [0, 0]}
            for _look in range(looks):
                for _request in range(requests):
                    arm = seen[chance.random() < weight / 100]
                    arm[0] += chance.random() < rate
                    arm[1] += 1
                canary, stable = tuple(seen[True]), tuple(seen[False])
                verdicts.append(judge((sample(canary, stable),), weight, policy).status)  # type: ignore[arg-type]
        rolled_back += Status.ROLLBACK in verdicts
    assert rolled_back <= FALSE_ROLLBACK * releases


@pytest.mark.parametrize("weight", [1, 5, 10, 50])
def test_a_total_outage_is_caught_within_a_handful_of_failures(weight: int) -> None:
    """The more traffic the canary has, the likelier that all failures are its by chance: it takes more."""
    policy = Policy(minimum_invocations=1000, looks=2)
    needed = next(
        k
        for k in range(1, 20)
        if judge((sample((k, k), (0, k * (100 - weight) // weight)),), weight, policy).status
        is Status.ROLLBACK
    )
    assert needed <= (3 if weight <= 10 else 11)


def test_a_downstream_that_hurts_both_is_not_held_against_the_canary() -> None:
    found = sample((50, 100), (450, 900))
    assert measure_evidence(found, 10) < 1
    assert judge((found,), 10, Policy(minimum_invocations=20)).status is Status.ADVANCE


def test_failures_of_a_canary_count_without_any_minimum() -> None:
    verdict = judge((sample((9, 9), (0, 90)),), 10, Policy(minimum_invocations=10_000))
    assert verdict.status is Status.ROLLBACK
    assert verdict.strength >= verdict.threshold == 100
    assert verdict.reason.startswith(
        "F: canary failed 9 of 9 requests, stable failed 0 of 90 requests in the"
    )
    assert verdict.evidence == (sample((9, 9), (0, 90)),)


@given(st.lists(samples, min_size=1, max_size=4), weights, st.integers(1, 300))
def test_nothing_advances_below_the_minimum(found: list[Sample], weight: int, minimum: int) -> None:
    named = tuple(item.model_copy(update={"function": f"F{i}"}) for i, item in enumerate(found))
    verdict = judge(named, weight, Policy(minimum_invocations=minimum))
    if verdict.status is Status.ADVANCE:
        assert all(item.canary.requests >= minimum for item in named)
        assert all(item.stable.requests >= 1 for item in named)


@given(st.lists(samples, min_size=1, max_size=4), weights, st.integers(1, 50))
def test_throttles_hold(found: list[Sample], weight: int, throttles: int) -> None:
    named = [item.model_copy(update={"function": f"F{i}"}) for i, item in enumerate(found)]
    named[0] = named[0].model_copy(update={"throttles": throttles})
    assert judge(tuple(named), weight, Policy(minimum_invocations=1)).status is not Status.ADVANCE


def test_throttles_are_named() -> None:
    verdict = judge((sample((0, 90), (0, 90), throttles=1),), 50, Policy(minimum_invocations=20))
    assert verdict.status is Status.HOLD
    assert verdict.reason == "throttled: F; a starved canary looks perfect"


def test_the_worst_function_decides_for_all() -> None:
    good, bad = sample((0, 500), (0, 4500), name="Good"), sample((40, 50), (0, 450), name="Bad")
    verdict = judge((good, bad), 10, Policy(minimum_invocations=20, looks=4))
    assert verdict.status is Status.ROLLBACK
    assert verdict.reason.startswith("Bad:")
    assert verdict.threshold == 400


def test_one_function_without_requests_keeps_all() -> None:
    good, quiet = sample((0, 500), (0, 4500), name="Good"), sample((0, 3), (0, 30), name="Quiet")
    verdict = judge((good, quiet), 10, Policy(minimum_invocations=20))
    assert verdict.status is Status.HOLD
    assert verdict.reason == "not enough evidence: Quiet had 3 canary and 30 stable requests, 20 needed"


def test_suspicion_holds_though_there_are_requests_enough() -> None:
    verdict = judge((sample((4, 100), (5, 900)),), 10, Policy(minimum_invocations=20, looks=2))
    assert 3 <= verdict.strength < verdict.threshold
    assert verdict.status is Status.HOLD
    assert verdict.reason.startswith("suspicion: F: canary failed 4 of 100 requests")


def test_the_stable_version_needs_its_share_of_the_minimum_only() -> None:
    policy = Policy(minimum_invocations=20)
    assert judge((sample((0, 180), (0, 2)),), 99, policy).status is Status.ADVANCE
    assert judge((sample((0, 180), (0, 0)),), 99, policy).status is Status.HOLD
    assert judge((sample((0, 20), (0, 19)),), 10, policy).status is Status.HOLD
    assert judge((sample((0, 20), (0, 20)),), 10, policy).status is Status.ADVANCE


def test_more_failures_than_requests_are_not_believed() -> None:
    found = sample((9, 3), (0, 27))
    assert found.canary.text == "failed 3 of 3 requests"
    assert measure_evidence(found, 10) == measure_evidence(sample((3, 3), (0, 27)), 10)
