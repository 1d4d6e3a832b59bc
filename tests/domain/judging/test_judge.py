"""The judge's verdicts by value, and the life of a rollout."""

from __future__ import annotations

import pytest

from tests.domain.judging.rollouts import batch
from tidegate.domain.judging import (
    History,
    MixedWeights,
    Moment,
    Policy,
    State,
    Status,
    begin,
    decide,
    forget,
    observe,
    shift,
)

POLICY = Policy()


def start(weight: float = 0.1, *functions: str) -> State:
    return shift(begin(functions or ("F",)), weight, 1000.0)


def test_the_first_step_is_as_large_as_the_traffic_allows() -> None:
    verdict = decide(begin({"F": History(rate=100)}), POLICY, Moment(now=0, delay=20))
    assert verdict.status is Status.RAMP
    assert verdict.weight == pytest.approx(2 / (100 * 20))
    assert decide(begin({"F": History(rate=0.1)}), POLICY, Moment(now=0, delay=20)).weight == POLICY.first
    assert decide(begin(["F"]), POLICY, Moment(now=0, delay=20)).weight == POLICY.bottom


def test_a_total_failure_is_rolled_back_with_a_sentence() -> None:
    state = observe(start(), [batch(canary=(9, 140), stable=(3, 2610), weight=0.1)], POLICY)
    verdict = decide(state, POLICY, Moment(now=1020, delay=20))
    assert verdict.status is Status.ROLLBACK
    assert verdict.reason.startswith(
        "F: canary failed 9 of 140 requests, stable 3 of 2,610 in the same minutes; evidence "
    )
    assert verdict.reason.endswith(" : 1 against threshold 100 : 1")


def test_a_batch_that_comes_twice_counts_once() -> None:
    found = batch(canary=(1, 50), stable=(1, 450), weight=0.1)
    once = observe(start(), [found], POLICY)
    twice = observe(once, [found, found], POLICY)
    assert twice.functions == once.functions
    assert twice.duplicates == 2


@pytest.mark.parametrize(("at", "weight"), [(1000.0, 0.2), (998.0, 0.1), (998.0, 0.0)])
def test_a_batch_of_two_weights_is_refused(at: float, weight: float) -> None:
    with pytest.raises(MixedWeights, match="weight"):
        observe(start(), [batch(canary=(0, 1), stable=(0, 9), weight=weight, at=at)], POLICY)


def test_what_comes_after_the_horizon_is_counted_and_left_out() -> None:
    state = forget(observe(start(), [batch(canary=(0, 50), stable=(0, 450), weight=0.1)], POLICY), 2000)
    assert not state.seen
    late = observe(state, [batch(canary=(5, 50), stable=(0, 450), weight=0.1, key="late")], POLICY)
    assert late.late == 1
    assert late.functions == state.functions


def test_the_state_goes_through_json() -> None:
    state = observe(start(), [batch(canary=(2, 50), stable=(1, 450), weight=0.1)], POLICY)
    assert State.model_validate_json(state.model_dump_json()) == state
