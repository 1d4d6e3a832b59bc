from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tidegate.domain.config import AlarmConfig, Approval, OnInsufficientEvidence, ServiceConfig, StageConfig


def test_a_service_without_a_file_is_released_by_defaults() -> None:
    config = ServiceConfig()
    production, staging = (
        config.stage("production", production=True),
        config.stage("staging", production=False),
    )
    assert (production.strategy, production.bake) == ("adaptive", 600)
    assert (staging.strategy, staging.bake) == ("AllAtOnce", 0)
    assert production.approval is Approval.NONE
    assert production.on_insufficient_evidence is OnInsufficientEvidence.FLOOR
    assert config.failure_mark == '{ $.level = "ERROR" }'


def test_what_is_given_comes_before_the_defaults() -> None:
    config = ServiceConfig.model_validate(
        {
            "stages": {
                "production": {"strategy": "AllAtOnce", "bake": 0, "approval": "required", "least_time": "2m"}
            }
        }
    )
    production = config.stage("production", production=True)
    assert (production.strategy, production.bake, production.least_time) == ("AllAtOnce", 0, 120)
    assert production.approval is Approval.REQUIRED


@given(st.integers(0, 10_000), st.sampled_from([("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)]))
def test_durations_are_seconds(number: int, unit: tuple[str, int]) -> None:
    letter, seconds = unit
    assert AlarmConfig.model_validate({"p99": f" {number}{letter} "}).p99 == number * seconds
    assert AlarmConfig.model_validate({"p99": number}).p99 == number


@pytest.mark.parametrize("value", ["5", "5 m", "m", "-5s", "1.5h", "5w", "", True, -1, 1.5, [5], None])
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        StageConfig.model_validate({"least_time": value})


@pytest.mark.parametrize(
    "given_config",
    [
        {"stages": {"production": {"strategy": "Canary0Percent5Minutes"}}},
        {"stages": {"production": {"strategy": "Canary100Percent5Minutes"}}},
        {"stages": {"production": {"strategy": "Linear10"}}},
        {"stages": {"production": {"strategy": "Canary10Percent9999999Minutes"}}},
        {"stages": {"production": {"approval_timeout": 0}}},
        {"stages": {"production": {"longest_hold": "40d"}}},
        {"stages": {"production": {"bake": "4d"}}},
        {"stages": {f"stage-{n}": {"approval": "required", "approval_timeout": "14d"} for n in range(3)}},
        {"stages": {"production": {"margin": 0}}},
        {"stages": {"production": {"signals": {"errors": "ignore"}}}},
        {"stages": {"production": {"minimum_invocations": 0}}},
        {"stages": {"production": {"bake": "179s"}}},
        {"stages": {"production": {"alarms": {"error_rate": 0}}}},
        {"stages": {"production": {"alarms": {"error_rate": 101}}}},
        {"stages": {"production": {"alarms": {"throttles": 0}}}},
        {"stages": {"production": {"approval": "maybe"}}},
        {"stages": {"Production!": {}}},
        {"stages": {"production": {"step": [10]}}},
        {"service": "Orders"},
        {"tests": {"timeout": "1h"}},
        {"tests": {"command": ""}},
        {"waves": [["Place"], ["Ship", "Place"]]},
        {"waves": [[]]},
        {"failure_mark": " "},
        {"failure_mark": "{ $.level = "},
        {"failure_mark": '{ $.level = "ERROR"'},
        {"failure_mark": '{ level = "ERROR" }'},
        {"unknown": 1},
    ],
)
def test_mistakes_are_refused(given_config: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ServiceConfig.model_validate(given_config)


def test_functions_that_no_wave_names_come_last() -> None:
    config = ServiceConfig(waves=(("Notify",), ("Charge", "Ship")))
    assert [config.wave_of(name) for name in ("Notify", "Ship", "Other")] == [1, 2, 3]
    assert ServiceConfig().wave_of("Other") == 1


@pytest.mark.parametrize(
    "mark",
    [
        "ERROR",
        "?ERROR ?Traceback",
        '{ $.level = "ERROR" && $.status >= 500 }',
        "[ip, user, code = 5*]",
        "%ERR[0-9]+%",
        "{ $.level = %^ERR% }",
        "{ $.errors[*].code = 5 }",
    ],
)
def test_what_cloudwatch_logs_reads_may_mark_failures(mark: str) -> None:
    assert ServiceConfig(failure_mark=mark).failure_mark == mark
