from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from tidegate.domain.config import StageConfig
from tidegate.domain.simulation.choices import AdaptiveChoice, CodeDeployChoice, FlaggerChoice, Source
from tidegate.domain.simulation.results import Interval
from tidegate.domain.simulation.scenarios import Fault, Scenario, Traffic, show_interval


@pytest.mark.parametrize(
    ("text", "fault", "name"),
    [
        ("+2%", Fault(errors=0.02), "+2 %"),
        ("0.5 %", Fault(errors=0.005), "+0.5 %"),
        ("outage", Fault(errors=1.0), "outage"),
        ("latency x2.5", Fault(latency=2.5), "latency x2.5"),
        ("timeouts 5%", Fault(timeouts=0.05), "timeouts 5 %"),
        ("sticky 10% after 2h", Fault(sticky=0.1, after=7200), "sticky 10 % after 2h"),
        ("outage after 10m", Fault(errors=1.0, after=600), "outage after 10m"),
        ("healthy", Fault(), "healthy"),
    ],
)
def test_a_fault_may_be_one_text(text: str, fault: Fault, name: str) -> None:
    read = Fault.model_validate(text)
    assert read == fault
    assert read.name == name


@pytest.mark.parametrize("text", ["2", "+2% after tea", "slow", "latency 0", "+200%", "outage after"])
def test_what_is_no_fault_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        Fault.model_validate(text)


def test_policies_are_read_by_name_or_with_settings() -> None:
    read = Scenario.model_validate(
        {
            "policies": [
                "adaptive on metrics",
                "Canary10Percent5Minutes alarm 2%",
                "Canary10Percent5Minutes judged",
                {"strategy": "flagger", "interval": "30s", "success": "98%"},
                {"strategy": "AllAtOnce", "alarm": {"threshold": "tuned"}},
            ]
        }
    )
    adaptive, canary, judged, flagger, _ = read.policies
    assert judged == AdaptiveChoice(stage=StageConfig(strategy="Canary10Percent5Minutes"))
    assert adaptive == AdaptiveChoice(source=Source.METRICS)
    assert isinstance(canary, CodeDeployChoice)
    assert canary.alarm.threshold == 0.02
    assert flagger == FlaggerChoice(interval=30, success=0.98)
    assert [one.name for one in read.policies] == [
        "adaptive on metrics",
        "Canary10Percent5Minutes alarm 2%",
        "Canary10Percent5Minutes judged",
        "flagger",
        "AllAtOnce",
    ]


@pytest.mark.parametrize("policy", ["Canary", "adaptive on tape", {"strategy": "canary"}, {"strategy": 5}, 7])
def test_what_is_no_policy_is_refused(policy: object) -> None:
    with pytest.raises(ValidationError):
        Scenario.model_validate({"policies": [policy]})


def test_a_policy_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValidationError, match="flagger stands twice"):
        Scenario.model_validate({"policies": ["flagger", {"strategy": "flagger", "interval": 30}]})
    with pytest.raises(ValidationError, match=re.escape("at least one policy")):
        Scenario.model_validate({"policies": []})


def test_a_healthy_version_is_always_replayed() -> None:
    scenario = Scenario(traffic=Traffic(), faults=(Fault(errors=0.1), Fault()))
    assert [fault.name for fault in scenario.every_fault] == ["healthy", "+10 %"]


def test_shares_are_fractions_or_percent() -> None:
    assert Traffic.model_validate({"baseline": "0.1%"}).baseline == pytest.approx(0.001)
    assert Traffic.model_validate({"baseline": 0.25}).baseline == 0.25
    with pytest.raises(ValidationError, match="no share"):
        Traffic.model_validate({"baseline": "few"})


def test_an_interval_is_shown_in_percent_without_powers_of_ten() -> None:
    assert show_interval(Interval(share=1.0, low=0.5655, high=1.0)) == "56.5 to 100 %"
    assert show_interval(Interval(share=0.0, low=0.0, high=0.000125)) == "0 to 0.0125 %"
