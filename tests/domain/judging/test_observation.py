"""What batches change: each counts once, under one weight, small ones together."""

from __future__ import annotations

import pytest

from tests.domain.judging.rollouts import batch
from tidegate.domain.batches import Arm
from tidegate.domain.judging import (
    MixedWeights,
    Moment,
    Policy,
    State,
    begin,
    decide,
    forget,
    is_under_one_weight,
    observe,
    shift,
)

POLICY = Policy()


def start(weight: float = 0.1) -> State:
    return shift(begin(["F"]), weight, 1000.0)


def strength(state: State) -> float:
    return decide(state, POLICY, Moment(now=1100, delay=20)).strength


def test_a_batch_that_comes_twice_counts_once() -> None:
    found = batch(canary=(1, 50), stable=(1, 450), weight=0.1)
    once = observe(start(), [found], POLICY)
    twice = observe(once, [found, found], POLICY)
    assert twice.functions == once.functions
    assert twice.duplicates == 2


@pytest.mark.parametrize(("at", "weight"), [(1000.0, 0.2), (998.0, 0.1), (998.0, 0.0)])
def test_a_batch_of_two_weights_is_refused(at: float, weight: float) -> None:
    found = batch(canary=(0, 1), stable=(0, 9), weight=weight, at=at)
    assert not is_under_one_weight(start(), found)
    with pytest.raises(MixedWeights, match="weight"):
        observe(start(), [found], POLICY)


def test_a_late_batch_belongs_to_the_weight_that_it_started_under() -> None:
    state = shift(start(), 0.3, 1100)
    found = batch(canary=(0, 50), stable=(0, 450), weight=0.1, at=1095)
    assert observe(state, [found], POLICY).functions["F"].canary.requests == 50


def test_a_function_of_another_rollout_is_refused() -> None:
    with pytest.raises(ValueError, match="not of this rollout"):
        observe(start(), [batch(canary=(0, 1), stable=(0, 9), weight=0.1, function="G")], POLICY)


def test_what_comes_after_the_horizon_is_counted_and_left_out() -> None:
    state = observe(start(), [batch(canary=(0, 50), stable=(0, 450), weight=0.1)], POLICY)
    state = forget(shift(shift(state, 0.2, 1100), 0.3, 1200), 1150)
    assert not state.seen
    assert [found.weight for found in state.shifts] == [0.2, 0.3]
    late = observe(state, [batch(canary=(5, 50), stable=(0, 450), weight=0.1, key="late")], POLICY)
    assert late.late == 1
    assert late.functions == state.functions


def test_the_state_goes_through_json_and_goes_on_as_before() -> None:
    state = observe(start(), [batch(canary=(2, 50), stable=(1, 450), weight=0.1)], Policy(late=True))
    again = State.model_validate_json(state.model_dump_json())
    assert again == state
    more = [batch(canary=(1, 5), stable=(1, 4), weight=0.1, key="more")]
    assert observe(again, more, POLICY) == observe(state, more, POLICY)


def test_the_order_of_batches_does_not_matter() -> None:
    found = [
        batch(canary=(n % 3, 50 + n), stable=(n % 2, 450 - n), weight=0.1, key=str(n), at=1000 + 5 * n)
        for n in range(9)
    ]
    one_by_one = start()
    for each in reversed(found):
        one_by_one = observe(one_by_one, [each], POLICY)
    assert strength(one_by_one) == pytest.approx(strength(observe(start(), found, POLICY)))


def test_small_batches_of_one_look_are_one_block_however_they_are_split() -> None:
    parts = [
        batch(canary=canary, stable=stable, weight=0.1, key=str(n))
        for n, (canary, stable) in enumerate([((0, 0), (0, 9)), ((1, 2), (0, 7)), ((0, 0), (1, 11))])
    ]
    whole = batch(canary=(1, 2), stable=(1, 27), weight=0.1)
    assert strength(observe(start(), parts, POLICY)) == strength(observe(start(), [whole], POLICY))


def test_single_requests_add_up_to_evidence() -> None:
    """A request every ten seconds, each a batch and a look of its own: nothing is lost for having no pair."""
    state = start(0.5)
    for number in range(24):
        bad, good = ((1, 1), (0, 0)) if number % 2 else ((0, 0), (0, 1))
        found = batch(canary=bad, stable=good, weight=0.5, key=str(number), at=1000 + 10 * number)
        state = observe(state, [found], POLICY)
    assert strength(state) > 100


@pytest.mark.parametrize("requests", [4, 400])
def test_an_empty_arm_leaves_the_evidence_as_it_was(requests: int) -> None:
    before = observe(start(), [batch(canary=(1, 50), stable=(1, 450), weight=0.1)], POLICY)
    for number, (canary, stable) in enumerate([((0, 0), (3, requests)), ((3, requests), (0, 0))]):
        found = batch(canary=canary, stable=stable, weight=0.1, key=f"one{number}", at=1005)
        assert strength(observe(before, [found], POLICY)) == strength(before)


def test_more_marks_than_requests_are_all_of_them() -> None:
    found = batch(canary=(70, 50), stable=(0, 450), weight=0.1)
    most = batch(canary=(50, 50), stable=(0, 450), weight=0.1)
    assert strength(observe(start(), [found], POLICY)) == strength(observe(start(), [most], POLICY))


def test_thresholds_that_only_one_version_knows_are_no_evidence() -> None:
    found = batch(canary=(0, 50), stable=(0, 450), weight=0.1)
    known = found.model_copy(
        update={"canary": Arm(requests=50, warm=50, slow=(50, 50, 50, 50)), "stable": found.stable}
    )
    assert strength(observe(start(), [known], POLICY)) == 1


def test_a_weight_goes_forward_in_time_and_is_a_share() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        shift(start(), 30, 1100)
    with pytest.raises(ValueError, match="before"):
        shift(start(), 0.3, 900)


def test_requests_that_wait_for_more_are_seen_but_judged_only_with_these() -> None:
    state = shift(begin(["F"]), 0.5, 0)
    few = observe(state, [batch(canary=(1, 2), stable=(0, 1), weight=0.5, key="a")], POLICY)
    (found,) = decide(few, POLICY, Moment(now=1100, delay=10)).functions
    assert (found.canary.requests, found.judged) == (2, 0)
    more = observe(few, [batch(canary=(1, 1), stable=(0, 1), weight=0.5, key="b")], POLICY)
    (found,) = decide(more, POLICY, Moment(now=1100, delay=10)).functions
    assert (found.canary.requests, found.judged) == (3, 3)
