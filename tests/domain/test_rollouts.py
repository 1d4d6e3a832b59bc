from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain import judging
from tidegate.domain.batches import Arm, Batch
from tidegate.domain.config import OnInsufficientEvidence, StageConfig
from tidegate.domain.judging import Moment, Policy, Status, Verdict
from tidegate.domain.rollouts import (
    ARRIVAL,
    LONGEST_LOOK,
    Move,
    NextMove,
    Pointing,
    RollingFunction,
    Shift,
    first_weight,
    is_foreign,
    is_unmixed,
    is_within_bake,
    move_on,
    next_look,
    pace,
    point,
    window,
)
from tidegate.domain.strategies import ALL, parse_strategy

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
FUNCTION = RollingFunction(
    logical_id="F", name="orders-f", alias="live", stable="7", canary="8", log_group="/aws/lambda/orders-f"
)
CONFIG = StageConfig().for_stage(production=True)
LINEAR = parse_strategy("Linear10PercentEvery1Minute")
ADAPTIVE = parse_strategy("adaptive")
DELAY = 20.0


def verdict(status: Status, reason: str = "because", requests: int = 0, **given: Any) -> Verdict:
    """The judge's own verdict after so many requests, with another status."""
    state = judging.shift(judging.begin(["F"]), 0.5, 0)
    arm = Arm(requests=requests)
    batch = Batch(key="1", function="F", at=1, seconds=1, weight=0.5, stable=arm, canary=arm)
    seen = judging.decide(judging.observe(state, [batch], Policy()), Policy(), Moment(now=3, delay=1))
    return seen.model_copy(update={"status": status, "reason": reason, "weight": None, **given})


def shift(weight: float, seconds_ago: float) -> Shift:
    at = NOW - timedelta(seconds=seconds_ago)
    return Shift(step=0, weight=weight, began=at, at=at, made=True)


def go_on(config: StageConfig, begun: Shift, seen: Verdict | None) -> NextMove:
    """The move of the adaptive strategy where there must be one."""
    found = move_on(config, ADAPTIVE, (begun,), seen, NOW, DELAY)
    assert found is not None
    return found


def follow(weight: float, seconds_ago: float, seen: Verdict) -> NextMove:
    """The move of a linear schedule where there must be one."""
    found = move_on(CONFIG, LINEAR, (shift(weight, seconds_ago),), seen, NOW, DELAY)
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


def test_the_first_weight_is_the_schedule_s_or_the_ramp_s() -> None:
    assert first_weight(parse_strategy("Linear20PercentEvery1Minute"), 0.01) == 20
    assert first_weight(parse_strategy("AllAtOnce"), 0.01) == ALL
    assert first_weight(parse_strategy("adaptive"), 0.012345678) == 1.2346


def test_all_traffic_bakes_and_then_leaves() -> None:
    baking = go_on(CONFIG, shift(ALL, 590.5), None)
    assert (baking.next, baking.wait) == (Move.HOLD, 9.5)
    assert go_on(CONFIG, shift(ALL, 100), None).wait == 4 * DELAY
    assert go_on(CONFIG, shift(ALL, 600), None).next is Move.LEAVE
    assert go_on(CONFIG.model_copy(update={"bake": 0}), shift(ALL, 0), None).next is Move.LEAVE


class TestAdaptive:
    """The evidence sets the pace."""

    def test_a_ramp_shifts_to_the_judge_s_weight(self) -> None:
        move = go_on(CONFIG, shift(1, 30), verdict(Status.RAMP, weight=0.03))
        assert (move.next, move.weight) == (Move.SHIFT, 3)

    def test_evidence_promotes(self) -> None:
        move = go_on(CONFIG, shift(50, 300), verdict(Status.PROMOTE))
        assert (move.next, move.weight, move.reason) == (Move.SHIFT, ALL, "because")

    @pytest.mark.parametrize("status", [Status.HOLD, Status.HOLD_SUSPICIOUS, Status.HOLD_SHARED])
    def test_a_hold_waits(self, status: Status) -> None:
        move = go_on(CONFIG, shift(50, 300), verdict(status))
        assert (move.next, move.wait) == (Move.HOLD, DELAY / 2)

    def test_suspicion_may_lower_the_weight(self) -> None:
        move = go_on(CONFIG, shift(50, 30), verdict(Status.HOLD_SUSPICIOUS, weight=0.15))
        assert (move.next, move.weight) == (Move.SHIFT, 15)

    @pytest.mark.parametrize(
        ("policy", "requests", "promoted"),
        [("rollback", 1000, False), ("floor", 20, True), ("floor", 19, False), ("promote", 0, True)],
    )
    def test_after_the_longest_hold_the_policy_decides(
        self, policy: str, requests: int, *, promoted: bool
    ) -> None:
        config = CONFIG.model_copy(update={"on_insufficient_evidence": OnInsufficientEvidence(policy)})
        seen = verdict(Status.INSUFFICIENT_EVIDENCE, requests=requests)
        move = move_on(config, ADAPTIVE, (shift(50, 3600),), seen, NOW, DELAY)
        assert (move is not None and (move.next, move.weight) == (Move.SHIFT, ALL)) is promoted
        assert move is None or "without enough evidence, as configured" in move.reason

    def test_no_policy_promotes_in_the_face_of_an_obstacle(self) -> None:
        config = CONFIG.model_copy(update={"on_insufficient_evidence": OnInsufficientEvidence.PROMOTE})
        seen = verdict(Status.INSUFFICIENT_EVIDENCE, requests=99, obstacle=Status.HOLD_SUSPICIOUS)
        assert move_on(config, ADAPTIVE, (shift(50, 3600),), seen, NOW, DELAY) is None


class TestSchedule:
    """The clock sets the pace, and the judge may stop it."""

    def test_time_and_enough_requests_go_on(self) -> None:
        move = follow(10, 60, verdict(Status.HOLD, requests=20))
        assert (move.next, move.weight) == (Move.SHIFT, 20)
        assert follow(90, 60, verdict(Status.RAMP, requests=20)).weight == ALL

    def test_before_its_time_nothing_goes_on(self) -> None:
        move = follow(10, 57, verdict(Status.PROMOTE, requests=99))
        assert (move.next, move.wait) == (Move.HOLD, 3)

    def test_too_few_requests_hold_and_say_so(self) -> None:
        move = follow(10, 60, verdict(Status.HOLD, requests=19))
        assert move.next is Move.HOLD
        assert move.reason == ("not enough evidence: F served 19 requests with the new version, 20 needed")

    @pytest.mark.parametrize("status", [Status.HOLD_SUSPICIOUS, Status.HOLD_DOWNSTREAM, Status.HOLD_SHARED])
    def test_what_is_not_settled_holds_and_never_goes_on(self, status: Status) -> None:
        assert follow(10, 600, verdict(status, requests=99)).next is Move.HOLD
        config = CONFIG.model_copy(update={"on_insufficient_evidence": OnInsufficientEvidence.PROMOTE})
        seen = verdict(status, requests=99)
        assert move_on(config, LINEAR, (shift(10, 3660),), seen, NOW, DELAY) is None

    def test_an_obstacle_holds_a_schedule_however_long_it_has_taken(self) -> None:
        seen = verdict(Status.INSUFFICIENT_EVIDENCE, requests=99, obstacle=Status.HOLD_SUSPICIOUS)
        assert follow(50, 600, seen).next is Move.HOLD

    def test_after_the_longest_hold_the_policy_decides(self) -> None:
        config = CONFIG.model_copy(update={"on_insufficient_evidence": OnInsufficientEvidence.PROMOTE})
        silent = verdict(Status.HOLD, requests=0)
        move = move_on(config, LINEAR, (shift(10, 3660),), silent, NOW, DELAY)
        assert move is not None
        assert (move.next, move.weight) == (Move.SHIFT, 20)
        assert move_on(CONFIG, LINEAR, (shift(10, 3660),), silent, NOW, DELAY) is None
        assert follow(10, 3659, silent).next is Move.HOLD


def test_looks_come_as_soon_as_there_is_news_and_ever_more_seldom() -> None:
    assert next_look(0, 20) == next_look(1000, 20) == 10
    assert next_look(3600, 20) == 36
    assert next_look(10**7, 20) == LONGEST_LOOK
    assert next_look(10**7, 1000) == 1000
    age, looks = 0.0, 0
    while age < 86_400:
        age, looks = age + next_look(age, 20), looks + 1
    assert looks < 600


@given(st.floats(0, 1000), st.floats(0.1, 100), st.floats(0, 500), st.floats(0, 50))
def test_a_span_in_which_an_alias_was_written_is_mixed(
    at: float, seconds: float, began: float, writing: float
) -> None:
    start = NOW.timestamp()
    begun = NOW + timedelta(seconds=began)
    made = Shift(step=1, weight=10, began=begun, at=begun + timedelta(seconds=writing), made=True)
    before, after = start + at + seconds <= begun.timestamp(), start + at >= made.at.timestamp()
    assert is_unmixed(start + at, seconds, (made,)) == (before or after)
    assert is_unmixed(start + at, seconds, ())


@given(st.floats(0, 100_000), st.floats(0, 5000), st.sampled_from([1, 2, 60, 300]))
def test_a_window_holds_whole_periods_of_one_weight_that_have_arrived(
    at: float, held: float, period: int
) -> None:
    begun = NOW + timedelta(seconds=at)
    now = begun + timedelta(seconds=held)
    start, end = window(begun, now, period)
    assert start.timestamp() % period == end.timestamp() % period == 0
    assert begun <= start <= end
    assert start == end or end <= now - ARRIVAL * timedelta(seconds=period)
    assert start.tzinfo is not None


def test_a_window_by_value() -> None:
    begun = NOW + timedelta(seconds=20)
    start, end = window(begun, NOW + timedelta(minutes=5, seconds=59), 60)
    assert (start, end) == (NOW + timedelta(minutes=1), NOW + timedelta(minutes=3))
    start, end = window(begun, NOW + timedelta(minutes=2), 60)
    assert start == end


def test_a_pace_shortens_what_is_waited_for_and_nothing_else() -> None:
    paced = pace(CONFIG, 0.1)
    assert (paced.least_time, paced.bake, paced.longest_hold) == (18, 60, 360)
    assert paced.minimum_invocations == CONFIG.minimum_invocations
    assert pace(StageConfig(), 0.5).bake == 0


def test_the_bake_window_ends() -> None:
    assert is_within_bake(NOW, 600, NOW + timedelta(seconds=600))
    assert not is_within_bake(NOW, 600, NOW + timedelta(seconds=601))
