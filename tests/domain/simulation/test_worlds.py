from __future__ import annotations

import pytest

from tidegate.domain.simulation.sampling import Dice
from tidegate.domain.simulation.scenarios import Bursts, Fault, Traffic
from tidegate.domain.simulation.worlds import QUANTILES, Tick, World, shares_above

STEADY = Traffic(rate=1000, baseline=0.01)


def ticks(traffic: Traffic, fault: Fault, weight: float, count: int, seed: str = "1") -> list[Tick]:
    world = World(traffic, fault, Dice(seed), spread=2.0)
    world.shift(weight)
    world.advance()
    return [world.advance() for _ in range(count)]


def total(found: list[Tick], arm: str, field: str) -> int:
    return sum(getattr(getattr(tick, arm), field) for tick in found)


def test_requests_split_by_weight_and_fail_by_version() -> None:
    found = ticks(STEADY, Fault(errors=0.02), 0.1, 200)
    stable, canary = total(found, "stable", "requests"), total(found, "canary", "requests")
    assert stable + canary == pytest.approx(1_000_000, rel=0.005)
    assert canary / (stable + canary) == pytest.approx(0.1, rel=0.02)
    assert total(found, "stable", "failed") / stable == pytest.approx(0.01, rel=0.05)
    assert total(found, "canary", "failed") / canary == pytest.approx(0.03, rel=0.06)
    assert sum(tick.excess for tick in found) / canary == pytest.approx(0.02, rel=0.08)
    assert sum(tick.exposed for tick in found) == canary


def test_an_outage_fails_all_and_only_what_would_not_have_failed_is_excess() -> None:
    found = ticks(STEADY, Fault(errors=1.0), 0.5, 50)
    assert total(found, "canary", "failed") == total(found, "canary", "requests")
    assert sum(tick.excess for tick in found) / total(found, "canary", "requests") == pytest.approx(
        0.99, abs=0.002
    )


def test_a_late_fault_begins_at_its_time() -> None:
    found = ticks(STEADY, Fault(errors=1.0, after=60), 0.5, 20)
    assert {tick.excess > 0 for tick in found if tick.at < 60} == {False}
    assert {tick.excess > 0 for tick in found if tick.at >= 60} == {True}


def test_timeouts_are_failed_and_slow() -> None:
    found = ticks(STEADY, Fault(timeouts=0.05), 0.5, 40)
    requests = total(found, "canary", "requests")
    assert total(found, "canary", "timed_out") / requests == pytest.approx(0.05, rel=0.05)
    slowest = sum(tick.canary.slow[-1] for tick in found)
    assert slowest / requests == pytest.approx(0.06, rel=0.05)
    assert total(found, "stable", "timed_out") == 0


def test_a_slower_version_exceeds_the_historic_quantiles() -> None:
    assert shares_above(0.5, 1.0) == pytest.approx([1 - q for q in QUANTILES])
    found = ticks(STEADY, Fault(latency=2.0), 0.5, 40)
    warm = total(found, "canary", "warm")
    expected = shares_above(0.5, 2.0)
    for index, share in enumerate(expected):
        assert sum(tick.canary.slow[index] for tick in found) / warm == pytest.approx(share, rel=0.05)
    assert expected[2] == pytest.approx(0.3977, abs=0.001)  # 1 - Φ(1.645 - ln 2 / 0.5)
    assert sum(tick.excess for tick in found) == 0


def test_cold_starts_are_not_warm_and_come_once() -> None:
    world = World(Traffic(rate=100), Fault(), Dice("1"), spread=0.0)
    world.shift(0.5)
    first = world.advance()
    assert first.canary.cold == 10  # 5 busy at a time, and two deviations
    assert first.canary.warm == first.canary.requests - 10
    assert world.advance().canary.cold == 0


def test_routing_off_nominal_shows_in_the_realised_share() -> None:
    found = ticks(Traffic(rate=1000, routing=1.2), Fault(), 0.1, 100)
    canary, stable = total(found, "canary", "requests"), total(found, "stable", "requests")
    assert canary / (canary + stable) == pytest.approx(0.12, rel=0.02)


def test_a_write_of_the_alias_takes_effect_when_it_has_spread() -> None:
    world = World(Traffic(rate=1000), Fault(), Dice("1"), spread=2.0)
    world.shift(1.0)
    first, second = world.advance(), world.advance()
    assert first.mixed
    assert first.stable.requests == pytest.approx(2000, rel=0.1)
    assert (second.mixed, second.stable.requests) == (False, 0)


def test_bursts_hit_both_versions_and_last_their_mean() -> None:
    traffic = Traffic(rate=200, bursts=Bursts(every=60, lasts=30, errors=0.5))
    found = ticks(traffic, Fault(), 0.5, 4000)
    struck = [tick for tick in found if tick.stable.failed > 0.25 * tick.stable.requests]
    assert len(struck) / len(found) == pytest.approx(1 / 3, rel=0.15)
    assert all(tick.canary.failed > 0.25 * tick.canary.requests for tick in struck)
    assert sum(tick.excess for tick in found) == 0


def test_traffic_swings_over_the_day() -> None:
    def rate(hour: float) -> float:
        found = ticks(Traffic(rate=100, daily=0.5, hour=hour), Fault(), 0.1, 20)
        return sum(tick.stable.requests + tick.canary.requests for tick in found) / 100

    assert rate(15) == pytest.approx(150, rel=0.05)
    assert rate(3) == pytest.approx(50, rel=0.1)


def test_a_sticky_fault_fails_all_of_an_environment() -> None:
    found = ticks(STEADY, Fault(sticky=0.2), 0.5, 30)
    share = total(found, "canary", "failed") / total(found, "canary", "requests")
    assert 0.05 < share < 0.4
    assert ticks(STEADY, Fault(sticky=1.0), 0.5, 1)[0].excess > 2000


def test_environments_fall_sick_on_either_version_and_are_replaced() -> None:
    found = ticks(Traffic(rate=10, baseline=0, sick=2), Fault(), 0.5, 20_000)
    for arm in ("stable", "canary"):
        failing = [tick for tick in found if getattr(tick, arm).failed]
        assert failing
        assert len(failing) < len(found)
    assert sum(tick.excess for tick in found) == 0
