from __future__ import annotations

from tidegate.domain.config import StageConfig
from tidegate.domain.plans import AlarmLimit
from tidegate.domain.preferences import read_preferences
from tidegate.domain.templates.aliases import RolledFunction
from tidegate.domain.templates.preparation import DeploymentPreference


def function(name: str, **preference: object) -> RolledFunction:
    return RolledFunction(
        logical_id=name,
        alias_logical_id=f"{name}Alias",
        alias_name="live",
        anchor_logical_id=f"{name}Anchor",
        function_name={"Ref": name},
        preference=DeploymentPreference.model_validate(preference) if preference else None,
    )


def test_a_template_without_preferences_wishes_nothing() -> None:
    found = read_preferences([function("A"), function("B", enabled=False, kind="AllAtOnce", alarms=("x",))])
    assert (found.strategy, found.source, found.limits, found.notices) == (None, "", (), ())


def test_the_slowest_schedule_holds_for_all_and_alarms_are_limits() -> None:
    found = read_preferences(
        [
            function("A", kind="Canary10Percent5Minutes", alarms=({"Ref": "Errors"}, "by-hand")),
            function("B", kind="Linear10PercentEvery10Minutes", alarms=({"Ref": "Errors"},)),
        ]
    )
    assert found.strategy == "Linear10PercentEvery10Minutes"
    assert found.source == " (DeploymentPreference of B)"
    assert set(found.limits) == {AlarmLimit(logical_id="Errors"), AlarmLimit(name="by-hand")}


def test_what_cannot_be_followed_is_told() -> None:
    found = read_preferences([function("A", kind="OurOwn", alarms=({"Fn::ImportValue": "x"},))])
    assert found.strategy is None
    assert found.limits == ()
    assert [text.split(":")[0] for text in found.notices] == ["A", "A"]
    assert "OurOwn is none of CodeDeploy's own" in found.notices[0]
    assert "neither a name nor a Ref" in found.notices[1]


def test_the_template_decides_in_production_where_the_file_is_silent() -> None:
    asked = read_preferences([function("A", kind="Canary10Percent5Minutes")])
    config = StageConfig()
    production, staging = config.for_stage(production=True), config.for_stage(production=False)
    wanted = ("Canary10Percent5Minutes", " (DeploymentPreference of A)")
    assert asked.choose(None, production, production=True) == wanted
    assert asked.choose(config, production, production=True) == wanted
    assert asked.choose(None, staging, production=False) == ("AllAtOnce", "")
    own = StageConfig(strategy="adaptive")
    assert asked.choose(own, own, production=True) == ("adaptive", "")
    assert read_preferences([]).choose(None, production, production=True) == ("adaptive", "")
