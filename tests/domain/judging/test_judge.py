"""The judge's verdicts by value: one situation, one status, one sentence."""

from __future__ import annotations

import time

import pytest

from tests.domain.judging.rollouts import batch
from tidegate.domain.batches import Arm, Batch
from tidegate.domain.judging import (
    History,
    Mode,
    Moment,
    Policy,
    Signal,
    State,
    Status,
    Verdict,
    begin,
    decide,
    observe,
    shift,
)

POLICY = Policy()
SLOW = (250, 100, 50, 10)


def start(weight: float = 0.1, *functions: str) -> State:
    return shift(begin(functions or ("F",)), weight, 1000.0)


def look(state: State, now: float = 1020.0, policy: Policy = POLICY, *holds: str) -> Verdict:
    return decide(state, policy, Moment(now=now, delay=20, holds=holds))


def seen(*batches: Batch, weight: float = 0.1, policy: Policy = POLICY) -> State:
    names = {found.function for found in batches}
    return observe(start(weight, *sorted(names)), batches, policy)


def healthy(
    blocks: int, function: str = "F", weight: float = 0.5, slow: tuple[int, ...] = SLOW
) -> list[Batch]:
    arm = Arm(requests=1000, failed=1, warm=1000 if slow else 0, slow=slow, cold=10, init=4000)
    return [
        Batch(
            key=f"{function}{number}",
            function=function,
            at=1000 + 5 * number,
            seconds=5,
            weight=weight,
            stable=arm,
            canary=arm,
        )
        for number in range(blocks)
    ]


def test_the_first_step_is_as_large_as_the_traffic_allows() -> None:
    verdict = look(begin({"F": History(rate=100)}))
    assert verdict.status is Status.RAMP
    assert verdict.weight == pytest.approx(2 / (100 * 20))
    assert look(begin({"F": History(rate=0.1)})).weight == POLICY.first
    assert look(begin(["F"])).weight == POLICY.bottom


def test_the_busiest_function_sets_the_weight_of_all() -> None:
    state = begin({"Busy": History(rate=100), "Idle": History(rate=0)})
    assert look(state).weight == pytest.approx(0.001)


def test_a_bad_canary_is_rolled_back_with_a_sentence() -> None:
    verdict = look(seen(batch(canary=(9, 140), stable=(3, 2610), weight=0.1)))
    assert verdict.status is Status.ROLLBACK
    assert verdict.reason == (
        "F: canary failed 9 of 140 requests, stable 3 of 2,610 in the same minutes; "
        "evidence over 1,000,000 : 1 against threshold 100 : 1"
    )


def test_other_thresholds_are_compared_and_no_evidence_for_a_promotion() -> None:
    def found(canary: int) -> Batch:
        stable = Arm(requests=900, warm=900, slow=(90, 9))
        slow = Arm(requests=100, warm=100, slow=(canary, canary))
        return Batch(key="k", function="F", at=1000, seconds=5, weight=0.1, stable=stable, canary=slow)

    verdict = look(seen(found(50)))
    assert verdict.status is Status.ROLLBACK
    assert "canary was slower than the historic threshold 2 and its allowance in 50 of 100" in verdict.reason
    assert look(seen(found(1))).functions[0].promotion[Signal.LATENCY] == 1


def test_what_was_slow_is_said_by_its_quantile() -> None:
    found = Batch(
        key="k",
        function="F",
        at=1000,
        seconds=5,
        weight=0.1,
        stable=Arm(requests=900, warm=900, slow=(225, 90, 45, 9)),
        canary=Arm(requests=100, warm=90, slow=(60, 55, 45, 40), cold=10, init=5000),
    )
    verdict = look(seen(found))
    assert verdict.status is Status.ROLLBACK
    assert (
        "canary was slower than the historic q99 and its allowance in 40 of 90 warm requests, stable 9 of 900"
        in verdict.reason
    )
    assert verdict.functions[0].cold_share == (0.0, 0.1)
    assert verdict.functions[0].mean_init == (None, 500.0)


@pytest.mark.parametrize("mode", Mode)
def test_a_slow_start_is_compared_among_cold_starts_and_acts_only_if_asked_to(mode: Mode) -> None:
    found = Batch(
        key="k",
        function="F",
        at=1000,
        seconds=5,
        weight=0.1,
        stable=Arm(requests=900, warm=860, cold=40, init=12_000, slow_inits=(40, 40, 1, 0, 0, 0, 0, 0)),
        canary=Arm(requests=100, warm=60, cold=40, init=48_000, slow_inits=(40, 40, 40, 39, 2, 0, 0, 0)),
    )
    policy = Policy(modes={Signal.INIT: mode})
    state = shift(begin({"F": History(rate=100)}), 0.1, 1000)
    verdict = decide(observe(state, [found], policy), policy, Moment(now=1010, delay=10))
    assert verdict.functions[0].signals[Signal.INIT] > 1e6
    if mode is Mode.OBSERVE:
        assert verdict.status is Status.RAMP
        return
    assert verdict.status is (Status.ROLLBACK if mode is Mode.ENFORCE else Status.HOLD_SUSPICIOUS)
    assert (
        "canary took more than 800 ms and its allowance to start in 39 of 40 cold starts, stable 0 of 40"
        in verdict.reason
    )


@pytest.mark.parametrize(
    ("mode", "status"), [(Mode.ENFORCE, Status.ROLLBACK), (Mode.HOLD, Status.HOLD_SUSPICIOUS)]
)
def test_a_signal_does_what_its_mode_says(mode: Mode, status: Status) -> None:
    policy = Policy(modes={Signal.ERRORS: mode})
    assert look(seen(batch(canary=(9, 140), stable=(3, 2610), weight=0.1)), policy=policy).status is status


def test_an_observed_signal_is_shown_and_never_acts() -> None:
    policy = Policy(modes=dict.fromkeys(Signal, Mode.OBSERVE))
    verdict = look(seen(*healthy(60), policy=policy, weight=0.5), now=1300, policy=policy)
    assert verdict.status is Status.PROMOTE
    bad = look(seen(batch(canary=(99, 140), stable=(3, 2610), weight=0.1)), policy=policy)
    assert bad.status not in {Status.ROLLBACK, Status.HOLD_SUSPICIOUS}
    assert bad.functions[0].signals[Signal.ERRORS] > 1e6


def test_suspicion_freezes_and_lowers_the_weight_once() -> None:
    state = seen(batch(canary=(2, 100), stable=(1, 900), weight=0.1))
    verdict = look(state)
    assert verdict.status is Status.HOLD_SUSPICIOUS
    assert verdict.weight == pytest.approx(0.03)
    assert look(shift(state, 0.03, 1020)).weight is None


def test_a_downstream_that_fails_both_holds_by_name_and_a_worse_canary_still_goes_back() -> None:
    known = shift(begin({"F": History(error_rate=0.01, requests=10_000)}), 0.1, 1000)
    both = observe(known, [batch(canary=(30, 100), stable=(270, 900), weight=0.1)], POLICY)
    verdict = look(both)
    assert verdict.status is Status.HOLD_DOWNSTREAM
    assert "the stable version fails more than its usual 1.00%" in verdict.reason
    assert verdict.weight is None
    worse = observe(both, [batch(canary=(80, 100), stable=(270, 900), weight=0.1, key="2", at=1005)], POLICY)
    assert look(worse).status is Status.ROLLBACK


def test_shared_signals_hold() -> None:
    verdict = look(seen(*healthy(60), weight=0.5), 1300, POLICY, "12 throttles")
    assert (verdict.status, verdict.reason) == (Status.HOLD_SHARED, "12 throttles")


def test_a_shared_signal_that_may_end_a_release_does_so_whatever_the_evidence() -> None:
    state = seen(*healthy(60), weight=0.5)
    verdict = decide(state, POLICY, Moment(now=1300, delay=20, broken=("F: 12 throttles",)))
    assert verdict.status is Status.ROLLBACK
    assert verdict.reason == "the operator's limit, whatever the evidence: F: 12 throttles"
    assert verdict.strength < 3


def test_silence_is_never_promoted_and_the_silent_function_is_named() -> None:
    state = observe(start(0.5, "F", "Silent"), healthy(60), POLICY)
    assert look(state, 2000).status is Status.HOLD
    verdict = look(state, 1000 + POLICY.longest_hold)
    assert verdict.status is Status.INSUFFICIENT_EVIDENCE
    assert verdict.obstacle is None
    assert verdict.reason == "not enough evidence after 3600 seconds; no canary requests of Silent"


def test_too_little_evidence_is_told_with_what_it_excludes() -> None:
    verdict = look(seen(*healthy(1), weight=0.5), 1000 + POLICY.longest_hold)
    assert verdict.status is Status.INSUFFICIENT_EVIDENCE
    assert "more than 1.0% additional failures are excluded" in verdict.reason
    assert verdict.functions[0].excluded[Signal.ERRORS] == 0.01
    assert verdict.functions[0].excluded[Signal.LATENCY] is not None


def test_what_else_held_is_told_when_time_is_over() -> None:
    state = seen(batch(canary=(2, 100), stable=(1, 900), weight=0.1))
    verdict = look(state, 1000 + POLICY.longest_hold)
    assert verdict.obstacle is Status.HOLD_SUSPICIOUS


def test_a_promotion_needs_the_top_weight_time_and_both_signals() -> None:
    state = seen(*healthy(60), weight=0.5)
    assert look(state, 1300).status is Status.PROMOTE
    assert look(state, 1030).reason == "not enough yet: 60 seconds under canary"
    assert look(seen(*healthy(60, weight=0.3), weight=0.3), 1300).status is Status.RAMP
    without = look(seen(*healthy(60, slow=()), weight=0.5), 1300)
    assert without.status is Status.PROMOTE
    assert without.functions[0].promotion[Signal.LATENCY] == 1


def test_probes_top_up_once_users_exclude_ten_points() -> None:
    probes = [
        batch(canary=(0, 50), stable=(0, 50), weight=0.5, key=f"p{n}", at=1000 + n, probe=True)
        for n in range(80)
    ]
    alone = look(seen(*probes, weight=0.5), 1300)
    assert alone.status is Status.HOLD
    assert alone.functions[0].canary.requests == 0
    users = [batch(canary=(0, 50), stable=(0, 50), weight=0.5, key=f"u{n}") for n in range(2)]
    few = look(seen(*users, weight=0.5), 1300)
    assert few.functions[0].excluded[Signal.ERRORS] == 0.1
    assert few.status is Status.HOLD
    assert look(seen(*users, *probes, weight=0.5), 1300).status is Status.PROMOTE


def test_probes_before_any_traffic_find_a_total_failure() -> None:
    found = batch(canary=(30, 30), stable=(0, 30), weight=0, probe=True)
    assert look(observe(begin(["F"]), [found], POLICY)).status is Status.ROLLBACK


def test_one_bad_function_of_many_turns_all_back_and_is_named() -> None:
    names = [f"F{number}" for number in range(200)]
    quiet = [
        batch(canary=(1, 50), stable=(9, 450), weight=0.1, function=name, key=name) for name in names[1:]
    ]
    bad = batch(canary=(9, 50), stable=(2, 450), weight=0.1, function="F0", key="F0")
    verdict = look(seen(bad, *quiet))
    assert verdict.status is Status.ROLLBACK
    assert verdict.worst == "F0"
    assert verdict.reason.startswith("F0: canary failed 9 of 50")
    assert "over 200 functions" in verdict.reason
    some = batch(canary=(5, 50), stable=(2, 450), weight=0.1, function="F0", key="F0")
    alone, shared = look(seen(some)), look(seen(some, *quiet))
    assert (alone.status, shared.status) == (Status.ROLLBACK, Status.HOLD_SUSPICIOUS)


def test_an_operators_own_limit_is_outside_the_evidence_and_says_so() -> None:
    policy = Policy(failure_limit=1)
    state = seen(batch(canary=(1, 100), stable=(90, 900), weight=0.1))
    verdict = look(state, policy=policy)
    assert verdict.status is Status.ROLLBACK
    assert verdict.reason.endswith("the operator's limit is 1, whatever the evidence")


def test_at_full_weight_there_is_nothing_to_compare() -> None:
    state = shift(seen(*healthy(60), weight=0.5), 1, 1300)
    found = batch(canary=(50, 1000), stable=(0, 0), weight=1, at=1300, key="after")
    after = observe(state, [found], POLICY)
    assert look(after, 1310).status is Status.HOLD
    assert look(after, 1310).strength == look(state, 1310).strength


def test_a_verdict_goes_through_json() -> None:
    verdict = look(seen(*healthy(3), weight=0.5))
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict


def test_a_thousand_functions_are_judged_quickly() -> None:
    """Linear: a fold and a verdict of 1,000 functions; 0.3 s on a quiet machine."""
    names = [f"F{number}" for number in range(1000)]
    state = start(0.1, *names)
    batches = [batch(canary=(1, 50), stable=(5, 450), weight=0.1, function=name, key=name) for name in names]
    begun = time.process_time()
    verdict = look(observe(state, batches, POLICY))
    assert time.process_time() - begun < 2
    assert len(verdict.functions) == 1000
    assert len(verdict.reason) < 300
    assert len(observe(state, batches, POLICY).model_dump_json()) < 6000 * 1000
