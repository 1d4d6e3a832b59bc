from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.strategies import ALL, Kind, choose_slowest, parse_strategy


def test_a_canary_goes_on_with_everything() -> None:
    found = parse_strategy("Canary10Percent5Minutes")
    assert (found.kind, found.steps, found.interval, found.seconds) == (Kind.TIMED, (10,), 300, 300)
    assert [found.follow(0), found.follow(10)] == [10, ALL]


def test_a_linear_schedule_rises_by_the_same_steps() -> None:
    found = parse_strategy("Linear25PercentEvery1Minute")
    assert (found.steps, found.interval) == ((25, 50, 75), 60)
    assert parse_strategy("Linear30PercentEvery10Minutes").steps == (30, 60, 90)


def test_all_at_once_has_no_steps_and_the_ramp_no_clock() -> None:
    assert parse_strategy("AllAtOnce").follow(0) == ALL
    assert not parse_strategy("AllAtOnce").shifts
    assert parse_strategy("adaptive").shifts
    assert parse_strategy("adaptive").seconds == 0


@given(st.floats(0.5, 99.5).map(lambda value: round(value, 1)), st.integers(1, 21))
def test_weights_of_a_schedule_rise_to_all(percent: float, minutes: int) -> None:
    for name in (f"Canary{percent}Percent{minutes}Minutes", f"Linear{percent}PercentEvery{minutes}Minutes"):
        found = parse_strategy(name)
        weights = [found.follow(0)]
        while weights[-1] != ALL:
            weights.append(found.follow(weights[-1]))
        assert weights == [*found.steps, ALL]
        assert weights == sorted(set(weights))
        assert found.pace(0.5).interval == minutes * 30


@pytest.mark.parametrize(
    "name",
    [
        "",
        "canary",
        "Adaptive",
        "Canary10Percent5Minutes ",
        "Canary0Percent5Minutes",
        "Canary100Percent5Minutes",
        "Canary10Percent0Minutes",
        "Linear10Percent5Minutes",
        "Linear0PercentEvery1Minute",
        "Linear0.4PercentEvery1Minute",
        "Linear1PercentEvery60Minutes",
        "Canary10Percent4321Minutes",
        "MyOwn",
    ],
)
def test_what_is_no_strategy_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"is no strategy; write adaptive|makes no schedule"):
        parse_strategy(name)


def test_the_slowest_schedule_is_chosen() -> None:
    names = ("AllAtOnce", "Canary10Percent30Minutes", "Linear10PercentEvery1Minute")
    assert choose_slowest(names) == "Canary10Percent30Minutes"
    assert choose_slowest(()) is None
