from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from tidegate.domain.simulation.alarms import Alarm, Minutes
from tidegate.domain.simulation.checking import Checking
from tidegate.domain.simulation.choices import AlarmSettings, FlaggerChoice
from tidegate.domain.simulation.runs import End, Move, Timing, play
from tidegate.domain.simulation.sampling import Dice
from tidegate.domain.simulation.scenarios import Fault, Traffic
from tidegate.domain.simulation.stepped import Stepped, plan_steps, tune
from tidegate.domain.simulation.worlds import TICK, Requests, Tick, World

if TYPE_CHECKING:
    from tidegate.domain.simulation.runs import Driver


def tick(at: float, requests: int = 10, failed: int = 0) -> Tick:
    half = Requests(requests // 2, failed)
    return Tick(at, TICK, 0.5, mixed=False, stable=Requests(requests // 2), canary=half, excess=0, exposed=0)


def drive(
    driver: Driver, failing: list[tuple[float, float]], until: float, failed: int = 5
) -> list[tuple[float, Move]]:
    """Moves with their times, where the canary fails in the given spans."""
    moves, now = [], 0.0
    while now < until:
        move = driver.look(now)
        if move is not None:
            moves.append((now, move))
            if move.end is not None:
                break
        bad = any(start <= now < end for start, end in failing)
        driver.see(tick(now, failed=failed if bad else 0))
        now += TICK
    return moves


class Fixed(Dice):
    """Minutes that begin with the release."""

    def __init__(self) -> None:
        super().__init__("")
        self.uniform = lambda: 0.0


@pytest.mark.parametrize(
    ("strategy", "steps"),
    [
        ("Canary10Percent5Minutes", [(0, 0.1), (300, 1.0)]),
        ("Linear10PercentEvery1Minute", [(60 * i, (i + 1) / 10) for i in range(10)]),
        ("Linear30PercentEvery2Minutes", [(0, 0.3), (120, 0.6), (240, 0.9), (360, 1.0)]),
        ("AllAtOnce", [(0, 1.0)]),
    ],
)
def test_steps_are_those_of_the_name(strategy: str, steps: list[tuple[float, float]]) -> None:
    assert plan_steps(strategy) == [(at, pytest.approx(weight)) for at, weight in steps]


def test_minutes_are_read_once_when_they_have_arrived() -> None:
    minutes = Minutes(-20.0)
    for at in range(0, 200, 5):
        minutes.see(tick(float(at), failed=1))
    assert minutes.read(159.0, 180.0) == []
    assert minutes.read(160.0, 180.0) == [(80, 8)]
    assert minutes.read(160.0, 180.0) == []
    assert minutes.read(280.0, 180.0) == [(120, 12), (120, 12)]


def test_an_alarm_wants_its_datapoints_above_the_threshold() -> None:
    alarm = Alarm(AlarmSettings(periods=3, datapoints=2), 0.05)
    rates = [(100, 6), (100, 5), (0, 0), (100, 6), (100, 6)]
    assert [alarm.evaluate(*minute) for minute in rates] == [False, False, False, False, True]
    assert alarm.highest == 0.06


def test_an_alarm_of_one_period_fires_at_once_and_silence_does_not() -> None:
    alarm = Alarm(AlarmSettings(), 0.05)
    assert [alarm.evaluate(*minute) for minute in [(0, 0), (100, 5), (1, 1)]] == [False, False, True]


def test_a_canary_ends_with_all_traffic_unless_its_alarm_fires() -> None:
    def stepped() -> Stepped:
        return Stepped(plan_steps("Canary10Percent5Minutes"), AlarmSettings(), 0.2, Fixed())

    assert drive(stepped(), [], 900) == [(0.0, Move(0.1)), (300.0, Move(end=End.PROMOTED))]
    # The minute from 60 on is evaluated 180 seconds after its start.
    assert drive(stepped(), [(60, 120)], 900) == [(0.0, Move(0.1)), (240.0, Move(end=End.ROLLED_BACK))]
    # The minute from 180 on would be evaluated at 360, when the deployment has ended.
    assert drive(stepped(), [(180, 900)], 900)[-1] == (300.0, Move(end=End.PROMOTED))


def test_all_at_once_asks_nobody() -> None:
    driver = Stepped(plan_steps("AllAtOnce"), AlarmSettings(), 0.0, Fixed())
    assert drive(driver, [(0, 900)], 900) == [(0.0, Move(end=End.PROMOTED))]


def test_a_tuned_threshold_leaves_one_in_a_hundred_above_it() -> None:
    highest = [number / 1000 for number in range(1000)]
    assert sum(rate > tune(highest) for rate in highest) == 10
    assert tune([0.5]) == 0.5


def test_checks_that_pass_add_steps_and_promote_at_the_greatest_weight() -> None:
    choice = FlaggerChoice(step_weight=20, max_weight=50)
    assert drive(Checking(choice, 20.0), [], 900) == [
        (0.0, Move(0.2)),
        (60.0, Move(0.4)),
        (120.0, Move(0.5)),
        (180.0, Move(end=End.PROMOTED)),
    ]


def test_checks_that_fail_hold_and_enough_of_them_roll_back() -> None:
    choice = FlaggerChoice(threshold=3, success=0.8)
    moves = drive(Checking(choice, 20.0), [(0, 900)], 900)
    assert moves == [(0.0, Move(0.1)), (180.0, Move(end=End.ROLLED_BACK))]
    # Failed checks are counted over the whole analysis; one bad minute fails two windows of a minute.
    moves = drive(Checking(choice, 20.0), [(40, 100)], 900)
    assert moves[-1][1].end is End.PROMOTED


def test_a_check_without_requests_has_failed() -> None:
    driver = Checking(FlaggerChoice(threshold=2), 20.0)
    assert driver.look(0.0) == Move(0.1)
    assert driver.look(60.0) is None
    assert driver.look(120.0) == Move(end=End.ROLLED_BACK)


def test_iterations_check_the_greatest_weight_only() -> None:
    driver = Checking(FlaggerChoice(iterations=4), 20.0)
    assert drive(driver, [], 900) == [(0.0, Move(0.5)), (240.0, Move(end=End.PROMOTED))]


def run(strategy: str, fault: Fault, threshold: float, timing: Timing) -> tuple[End, float, int]:
    dice = Dice("run")
    driver = Stepped(plan_steps(strategy), AlarmSettings(), threshold, dice)
    world = World(Traffic(rate=100), fault, dice, timing.restore, detailed=False)
    done = play(driver, world, timing)
    return done.end, done.seconds, done.failed


def test_failures_are_counted_to_the_horizon_where_a_bad_version_was_promoted() -> None:
    end, seconds, failed = run("AllAtOnce", Fault(errors=0.1), math.inf, Timing(horizon=600))
    assert (end, seconds) == (End.PROMOTED, 0.0)
    assert failed == pytest.approx(0.1 * 100 * 598, rel=0.05)


def test_a_rollback_fails_requests_until_it_has_taken_effect() -> None:
    timing = Timing(horizon=600, restore=4.0)
    end, seconds, failed = run("Canary50Percent60Minutes", Fault(errors=1.0), 0.3, timing)
    assert end is End.ROLLED_BACK
    assert 120 <= seconds <= 240
    # Half of the requests from when the first write has spread until the second one has.
    assert failed == pytest.approx(50 * seconds, rel=0.05)


def test_a_release_without_an_end_is_given_up() -> None:
    end, seconds, _ = run("Canary50Percent60Minutes", Fault(), math.inf, Timing(horizon=0, longest=300))
    assert (end, seconds) == (End.UNDECIDED, 300.0)
