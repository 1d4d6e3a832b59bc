from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.config import OnInsufficientEvidence, StageConfig
from tidegate.domain.judge import Status, Verdict
from tidegate.domain.rollouts import (
    ALL,
    ARRIVAL,
    LONGEST_LOOK,
    Move,
    NextMove,
    Pointing,
    RollingFunction,
    Shift,
    count_looks,
    first_look,
    first_weight,
    follow,
    is_foreign,
    is_within_bake,
    move_on,
    pace,
    point,
    window,
)

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
FUNCTION = RollingFunction(
    logical_id="F", name="orders-f", alias="live", stable="7", canary="8", log_group="/aws/lambda/orders-f"
)
CONFIG = StageConfig().for_stage(production=True)
steps = st.lists(st.integers(1, 99), unique=True, max_size=8).map(sorted).map(tuple)


def verdict(status: Status, reason: str = "not enough evidence: few") -> Verdict:
    return Verdict(status=status, reason=reason, evidence=(), strength=1, threshold=100)


def shift(weight: int, seconds_ago: float) -> Shift:
    return Shift(step=0, weight=weight, at=NOW - timedelta(seconds=seconds_ago))


def go_on(config: StageConfig, begun: Shift, seen: Verdict | None) -> NextMove:
    """The move where there must be one."""
    found = move_on(config, begun, seen, NOW, 60)
    assert found is not None
    return found


def test_an_alias_points_at_the_stable_version_the_pair_or_the_canary() -> None:
    assert point(FUNCTION, 0) == Pointing(version="7")
    assert point(FUNCTION, 10) == Pointing(version="7", weights={"8": 0.1})
    assert point(FUNCTION, 100) == Pointing(version="8")


@given(st.integers(0, 100))
def test_no_pointing_of_its_own_is_foreign(weight: int) -> None:
    found = point(FUNCTION, weight)
    assert not is_foreign(FUNCTION, found)
    assert found.version not in found.weights
    assert len(found.weights) <= 1


@pytest.mark.parametrize(
    "found",
    [
        Pointing(version="6"),
        Pointing(version="7", weights={"9": 0.1}),
        Pointing(version="9", weights={"8": 0.5}),
    ],
)
def test_another_version_is_foreign(found: Pointing) -> None:
    assert is_foreign(FUNCTION, found)


@given(steps)
def test_weights_rise_through_all_steps_to_the_promotion(given_steps: tuple[int, ...]) -> None:
    config = StageConfig(steps=given_steps)
    taken = [first_weight(config)]
    while taken[-1] != ALL:
        taken.append(follow(config, taken[-1]))
    assert taken == [*given_steps, ALL]
    assert count_looks(config, 3) == 3 * max(1, len(given_steps))


def test_an_advance_shifts_to_the_next_weight() -> None:
    move = go_on(CONFIG, shift(10, 60), verdict(Status.ADVANCE, "fine"))
    assert (move.next, move.weight, move.reason) == (Move.SHIFT, 50, "fine")
    move = go_on(CONFIG, shift(50, 60), verdict(Status.ADVANCE, "fine"))
    assert (move.next, move.weight) == (Move.SHIFT, ALL)


def test_all_traffic_bakes_and_then_leaves() -> None:
    baking = go_on(CONFIG, shift(ALL, 590.5), None)
    assert (baking.next, baking.wait) == (Move.HOLD, 9.5)
    assert go_on(CONFIG, shift(ALL, 600), None).next is Move.LEAVE
    assert go_on(StageConfig(bake=0), shift(ALL, 0), None).next is Move.LEAVE


@given(st.integers(0, 100_000), st.floats(0, 3599), st.integers(1, 300))
def test_a_hold_is_looked_at_again_soon_but_not_too_soon(interval: int, held: float, period: int) -> None:
    config = CONFIG.model_copy(update={"interval": interval})
    move = move_on(config, shift(10, held), verdict(Status.HOLD), NOW, period)
    assert move is not None
    assert move.next is Move.HOLD
    assert period <= move.wait <= LONGEST_LOOK


def test_after_the_longest_hold_silence_is_no_promotion() -> None:
    assert move_on(CONFIG, shift(10, 3600), verdict(Status.HOLD), NOW, 60) is None


def test_silence_promotes_where_the_service_says_so() -> None:
    config = CONFIG.model_copy(update={"on_insufficient_evidence": OnInsufficientEvidence.PROMOTE})
    move = go_on(config, shift(10, 3600), verdict(Status.HOLD))
    assert (move.next, move.weight) == (Move.SHIFT, 50)
    assert "as configured" in move.reason
    for reason in ("suspicion: F: canary failed", "throttled: F"):
        assert move_on(config, shift(10, 3600), verdict(Status.HOLD, reason), NOW, 60) is None


@given(st.floats(0, 1000), st.integers(0, 600), st.sampled_from([1, 2, 60]))
def test_the_first_look_sees_a_whole_period(at: float, interval: int, period: int) -> None:
    begun = Shift(step=0, weight=10, at=NOW + timedelta(seconds=at))
    wait = first_look(CONFIG.model_copy(update={"interval": interval}), begun.at, period)
    start, end = window(begun, begun.at + timedelta(seconds=wait), period)
    assert interval <= wait <= max(interval, (2 + ARRIVAL) * period) + 1
    assert start < end


@given(st.floats(0, 100_000), st.floats(0, 5000), st.sampled_from([1, 2, 60, 300]))
def test_a_window_holds_whole_periods_of_one_weight_that_have_arrived(
    at: float, held: float, period: int
) -> None:
    begun = Shift(step=0, weight=10, at=NOW + timedelta(seconds=at))
    now = begun.at + timedelta(seconds=held)
    start, end = window(begun, now, period)
    assert start.timestamp() % period == end.timestamp() % period == 0
    assert begun.at <= start <= end
    assert start == end or end <= now - ARRIVAL * timedelta(seconds=period)
    assert start.tzinfo is not None


def test_a_window_by_value() -> None:
    begun = Shift(step=0, weight=10, at=NOW + timedelta(seconds=20))
    start, end = window(begun, NOW + timedelta(minutes=5, seconds=59), 60)
    assert (start, end) == (NOW + timedelta(minutes=1), NOW + timedelta(minutes=3))
    start, end = window(begun, NOW + timedelta(minutes=2), 60)
    assert start == end


def test_a_pace_shortens_what_is_waited_for_and_nothing_else() -> None:
    paced = pace(CONFIG, 0.1)
    assert (paced.interval, paced.bake, paced.longest_hold) == (6, 60, 360)
    assert paced.minimum_invocations == CONFIG.minimum_invocations
    assert pace(StageConfig(), 0.5).bake == 0


def test_the_bake_window_ends() -> None:
    assert is_within_bake(NOW, 600, NOW + timedelta(seconds=600))
    assert not is_within_bake(NOW, 600, NOW + timedelta(seconds=601))
