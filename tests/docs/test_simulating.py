from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from docs.pages import REFERENCE
from tidegate.adapters.configuration import read_model
from tidegate.domain.simulation.choices import AdaptiveChoice, AlarmSettings, CodeDeployChoice, FlaggerChoice
from tidegate.domain.simulation.scenarios import Bursts, Fault, Scenario, Traffic

if TYPE_CHECKING:
    from tidegate.domain.identity import Frozen

PAGE = (REFERENCE.parent / "guide" / "simulating.md").read_text()
MODELS = [Scenario, Traffic, Bursts, Fault, AdaptiveChoice, CodeDeployChoice, AlarmSettings, FlaggerChoice]


@pytest.mark.parametrize("model", MODELS)
def test_every_key_of_a_scenario_is_named_and_described(model: type[Frozen]) -> None:
    for name, field in model.model_fields.items():
        assert f"`{field.alias or name}`" in PAGE
        assert field.description or name == "strategy"


def test_the_scenario_of_the_guide_can_be_read() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    scenario = read_model(text, "scenario.yaml", Scenario)
    assert [fault.name for fault in scenario.faults] == ["+2 %", "outage after 10m", "+1 %, latency x1.5"]
    assert [policy.name for policy in scenario.policies] == [
        "adaptive",
        "wide margin",
        "Canary10Percent10Minutes judged",
        "Canary10Percent10Minutes alarm 1%",
        "flagger",
    ]
