from __future__ import annotations

import pytest

from tidegate.domain.config import OnInsufficientEvidence, StageConfig
from tidegate.domain.simulation.adaptive import VIEWS, Spans, recall
from tidegate.domain.simulation.choices import AdaptiveChoice, CodeDeployChoice, FlaggerChoice, Source
from tidegate.domain.simulation.replays import Replay, find_threshold, replay
from tidegate.domain.simulation.runs import End, Run, count_failed
from tidegate.domain.simulation.sampling import Dice
from tidegate.domain.simulation.scenarios import Bursts, Fault, Scenario, Traffic
from tidegate.domain.simulation.worlds import World

BUSY = Scenario(traffic=Traffic(rate=200))
CANARY = CodeDeployChoice(strategy="Canary10Percent5Minutes")
OURS = AdaptiveChoice()
OUTAGE = Fault(errors=1.0)


def runs(
    scenario: Scenario, choice: AdaptiveChoice | CodeDeployChoice | FlaggerChoice, fault: Fault, count: int
) -> list[Run]:
    return replay(scenario, Replay(choice, fault, 0.05, 0, count))


@pytest.mark.parametrize("choice", [OURS, CANARY, FlaggerChoice()], ids=lambda choice: choice.name)
def test_a_seed_determines_a_run_whatever_part_it_is_made_in(choice: AdaptiveChoice) -> None:
    together = replay(BUSY, Replay(choice, OUTAGE, 0.05, 0, 3))
    assert [
        *replay(BUSY, Replay(choice, OUTAGE, 0.05, 0, 1)),
        *replay(BUSY, Replay(choice, OUTAGE, 0.05, 1, 3)),
    ] == together
    other = BUSY.model_copy(update={"seed": 2})
    assert replay(other, Replay(choice, OUTAGE, 0.05, 0, 3)) != together


def test_a_threshold_is_tuned_on_healthy_traffic_or_taken_as_told() -> None:
    tuned = find_threshold(BUSY, CANARY, runs=300)
    assert 0.001 < tuned < 0.01
    healthy = replay(BUSY, Replay(CANARY, Fault(), tuned, 0, 300))
    assert sum(run.end is End.ROLLED_BACK for run in healthy) <= 12
    told = CodeDeployChoice.model_validate({"strategy": "AllAtOnce", "alarm": {"threshold": "2%"}})
    assert find_threshold(BUSY, told) == 0.02
    assert find_threshold(BUSY, OURS) == float("inf")


def test_the_judge_promotes_healthy_versions_after_a_ramp() -> None:
    found = runs(BUSY, OURS, Fault(), 20)
    assert {run.end for run in found} == {End.PROMOTED}
    for run in found:
        weights = [weight for _, weight in run.weights]
        assert weights[0] <= 0.1
        assert weights[-2:] == [0.5, 1.0]
        assert run.failed == 0


def test_the_judge_stops_an_outage_after_a_few_requests() -> None:
    found = runs(BUSY, OURS, OUTAGE, 20)
    assert {run.end for run in found} == {End.ROLLED_BACK}
    assert sum(run.failed for run in found) / len(found) < 20
    assert all(run.weights[-1][1] == 0.0 for run in found)


@pytest.mark.parametrize("fault", ["+10%", "timeouts 10%", "latency x2", "+30% after 1m"])
def test_the_judge_stops_whatever_is_clearly_worse(fault: str) -> None:
    found = runs(BUSY, OURS, Fault.model_validate(fault), 5)
    assert {run.end for run in found} == {End.ROLLED_BACK}


def test_metrics_are_slower_than_telemetry_and_stop_an_outage_as_well() -> None:
    by_metrics = runs(BUSY, AdaptiveChoice(source=Source.METRICS), OUTAGE, 5)
    by_telemetry = runs(BUSY, OURS, OUTAGE, 5)
    assert {run.end for run in by_metrics} == {End.ROLLED_BACK}
    assert min(run.seconds for run in by_metrics) > max(run.seconds for run in by_telemetry)


def test_bursts_on_both_versions_are_not_held_against_the_new_one() -> None:
    traffic = Traffic(rate=200, bursts=Bursts(every=120, lasts=30, errors=0.3))
    scenario = Scenario(traffic=traffic, longest=900)
    assert End.ROLLED_BACK not in {run.end for run in runs(scenario, OURS, Fault(), 10)}
    canary = [run.end for run in runs(scenario, CANARY, Fault(), 50)]
    assert canary.count(End.ROLLED_BACK) > 30


def test_want_of_evidence_is_followed_by_what_the_operator_chose() -> None:
    low = Scenario(traffic=Traffic(rate=0.05))
    ends = {
        policy: {run.end for run in runs(low, hold(policy), Fault(), 3)} for policy in OnInsufficientEvidence
    }
    assert ends == {
        OnInsufficientEvidence.ROLLBACK: {End.UNDECIDED},
        OnInsufficientEvidence.FLOOR: {End.UNDECIDED},
        OnInsufficientEvidence.PROMOTE: {End.PROMOTED},
    }


def hold(policy: OnInsufficientEvidence) -> AdaptiveChoice:
    return AdaptiveChoice(stage=StageConfig(longest_hold=120, on_insufficient_evidence=policy))


def test_a_schedule_can_be_judged_in_place_of_an_alarm() -> None:
    judged = AdaptiveChoice(stage=StageConfig(strategy="Canary10Percent5Minutes"))
    (healthy,) = runs(BUSY, judged, Fault(), 1)
    assert (healthy.end, [weight for _, weight in healthy.weights]) == (End.PROMOTED, [0.1, 1.0])
    assert 300 <= healthy.seconds < 360
    (bad,) = runs(BUSY, judged, OUTAGE, 1)
    assert (bad.end, bad.seconds < 60) == (End.ROLLED_BACK, True)


def test_failures_of_a_run_can_be_counted_to_an_earlier_horizon() -> None:
    at_once = CodeDeployChoice(strategy="AllAtOnce")
    (run,) = runs(BUSY, at_once, OUTAGE, 1)
    assert count_failed(run, 3600) == run.failed
    assert count_failed(run, 600) == pytest.approx(run.failed / 6, rel=0.02)
    assert count_failed(run, 0) == 0


def test_a_span_in_which_the_weight_changed_gives_no_batch() -> None:
    world = World(Traffic(rate=100), Fault(), Dice("1"), spread=2.0)
    spans = Spans(VIEWS[Source.METRICS], Fixed())
    world.shift(0.1)
    for _ in range(36):
        spans.see(world.advance())
    assert [(batch.at, batch.weight) for batch in spans.read(300)] == [(60, 0.1), (120, 0.1)]
    assert spans.read(300) == []


def test_telemetry_shows_durations_and_metrics_do_not() -> None:
    def one(source: Source) -> tuple[int, ...]:
        world = World(Traffic(rate=100), Fault(), Dice("1"), spread=0.0)
        spans = Spans(VIEWS[source], Fixed())
        for _ in range(12):
            spans.see(world.advance())
        batch = spans.read(600)[0]
        assert batch.stable.requests == pytest.approx(100 * batch.seconds, rel=0.2)
        return batch.stable.slow

    assert len(one(Source.TELEMETRY)) == 4
    assert one(Source.METRICS) == ()


def test_a_day_before_the_release_is_remembered() -> None:
    history = recall(Traffic(rate=100, baseline=0.01), Dice("1"))
    assert history.requests == pytest.approx(8_640_000, rel=0.02)
    assert history.error_rate == pytest.approx(0.01, rel=0.1)
    assert history.rate == pytest.approx(100, rel=0.02)


class Fixed(Dice):
    """Spans that begin with the release."""

    def __init__(self) -> None:
        super().__init__("")
        self.uniform = lambda: 0.0
