from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tidegate.domain.batches import Arm, Batch
from tidegate.domain.config import StageConfig
from tidegate.domain.judging import Mode, Signal
from tidegate.domain.observing import LastDay, Thresholds
from tidegate.domain.trials import MEMORY, Span, Trial, begin_shift, begin_trial, end_shift, make_policy

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
PLACE = LastDay(requests=864_000, errors=864, thresholds=Thresholds(slow=(1, 2, 3, 4)))
CONFIG = StageConfig().for_stage(production=True)


@pytest.fixture
def trial() -> Trial:
    return begin_trial(CONFIG, {"Place": PLACE, "Ship": LastDay()}, NOW, 20)


def test_a_trial_begins_as_low_as_the_traffic_of_the_last_day_asks_for(trial: Trial) -> None:
    known = begin_trial(CONFIG, {"Place": PLACE}, NOW, 20)
    assert known.first == pytest.approx(2 / (10 * 20))
    assert known.thresholds["Place"].slow == (1, 2, 3, 4)
    assert trial.first == 0.001


def test_a_shift_counts_once_its_writes_have_ended(trial: Trial) -> None:
    begun = begin_shift(trial, 0, 10, NOW)
    assert begun.weights == ()
    made = end_shift(begun, NOW + 3 * SECOND)
    assert made.weights == ((0.1, NOW + 3 * SECOND),)
    assert made.shifts[0].began == NOW
    assert made.state.weight == 0.1


def test_a_shift_that_is_made_again_keeps_when_it_began(trial: Trial) -> None:
    begun = begin_shift(begin_shift(trial, 0, 10, NOW), 0, 10, NOW + 9 * SECOND)
    assert [(shift.step, shift.began) for shift in begun.shifts] == [(0, NOW)]
    again = end_shift(end_shift(begun, NOW + 10 * SECOND), NOW + 11 * SECOND)
    assert again.weights == ((0.1, NOW + 11 * SECOND),)
    following = begin_shift(again, 1, 50, NOW + 60 * SECOND)
    assert [shift.weight for shift in following.shifts] == [10, 50]


def test_a_trial_is_a_document(trial: Trial) -> None:
    kept = end_shift(begin_shift(trial, 0, 10, NOW), NOW)
    assert Trial.model_validate_json(kept.model_dump_json()) == kept


def test_the_policy_is_the_service_s() -> None:
    config = CONFIG.model_validate(
        {"margin": 2, "least_time": 30, "signals": {"latency": "observe", "cost": "hold"}, "bake": 0}
    )
    policy = make_policy(config, 2)
    assert (policy.margin, policy.slow_margin, policy.least_seconds, policy.late) == (0.02, 0.02, 30, False)
    assert policy.alpha == 0.005
    assert [policy.mode(signal) for signal in (Signal.ERRORS, Signal.LATENCY, Signal.COST)] == [
        Mode.ENFORCE,
        Mode.OBSERVE,
        Mode.HOLD,
    ]
    assert make_policy(CONFIG, 0).alpha == 0.01


@pytest.mark.parametrize(
    ("at", "changes", "hidden"),
    [
        (1000, {}, True),
        (996, {}, True),
        (994, {}, False),
        (1020, {}, True),
        (1021, {}, False),
        (1000, {"function": "Ship"}, False),
        (1000, {"probe": True}, False),
    ],
)
def test_nothing_counts_that_began_beside_an_unknown_probe(
    trial: Trial, at: float, changes: dict[str, object], hidden: bool
) -> None:
    found = trial.hide(["Place"], Span(begin=1000, end=1020))
    values = {"key": "k", "function": "Place", "at": at, "seconds": 5, "weight": 0.1, **changes}
    batch = Batch.model_validate({**values, "stable": Arm(), "canary": Arm()})
    assert found.is_hidden(batch) is hidden
    assert not trial.is_hidden(batch)
    later = found.hide([], Span(begin=2000 + MEMORY, end=2000 + MEMORY))
    assert later.unknown == {}
