"""The service's configuration, `tidegate.yaml`: one model, unknown keys refused, a default for everything.

A service without the file is released by these defaults. Durations are written `90s`, `5m` or `2h` and are
whole seconds from here on; weights are whole percent.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from tidegate.domain.identity import Frozen, ServiceName, StageName

SHORTEST_BAKE: Final = 180
UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_duration(value: object) -> object:
    """Seconds of `90s`, `5m`, `2h`, `1d`, or of a plain number; anything else is refused."""
    if not isinstance(value, (bool, str)):
        return value
    match = re.fullmatch(r"(\d+)([smhd])", str(value).strip())
    if match is None:
        message = f"{value!r} is no duration; write it as 90s, 5m, 2h or 1d"
        raise ValueError(message)
    return int(match[1]) * UNITS[match[2]]


DURATION_SCHEMA: Final = {
    "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": r"^\s*\d+[smhd]\s*$"}]
}
Duration = Annotated[
    int, BeforeValidator(parse_duration), Field(ge=0), WithJsonSchema(DURATION_SCHEMA, mode="validation")
]
Percent = Annotated[int, Field(ge=1, le=99)]


class Approval(StrEnum):
    """Whether a person must agree before a stage is entered."""

    NONE = "none"
    REQUIRED = "required"


class OnInsufficientEvidence(StrEnum):
    """What to do when the longest hold has passed and the evidence still does not suffice."""

    ROLLBACK = "rollback"
    PROMOTE = "promote"


class LeftWeights(StrEnum):
    """What to do with an alias that somebody else left with two versions.

    repair: its primary version takes all traffic, by one write, and is the stable version of the rollout.
    refuse: the release is rejected, and nothing is written.
    """

    REPAIR = "repair"
    REFUSE = "refuse"


class AlarmConfig(Frozen):
    """Thresholds of the alarms that guard a stage's aliases from the first shift to the end of the bake."""

    error_rate: float = Field(5.0, gt=0, le=100, description="percent of invocations that err, in one minute")
    p99: Duration | None = Field(None, description="p99 of the handler's duration; no alarm where absent")
    throttles: int = Field(10, ge=1, description="throttled invocations in one minute")


class StageConfig(Frozen):
    """How a release goes through one stage."""

    stack_name: str | None = Field(None, description="the stack's name; by default <service>-<stage>")
    parameters: dict[str, str] = Field(default_factory=dict, description="the template's parameters")
    capabilities: tuple[str, ...] = Field((), description="capabilities that CloudFormation asks for")
    approval: Approval = Field(Approval.NONE, description="whether a person must approve the stage first")
    approval_timeout: Duration = Field(7 * 86_400, description="how long an approval is waited for")
    steps: tuple[Percent, ...] | None = Field(
        None, description="canary weights in percent before the promotion; [] shifts all at once"
    )
    interval: Duration = Field(60, description="how long each weight is observed before it is judged")
    bake: Duration | None = Field(None, description="how long all traffic is observed after the promotion")
    minimum_invocations: int = Field(
        20, ge=1, description="canary invocations at one weight before it can advance"
    )
    longest_hold: Duration = Field(3600, description="how long one weight may wait for evidence")
    on_insufficient_evidence: OnInsufficientEvidence = Field(
        OnInsufficientEvidence.ROLLBACK, description="what to do when the longest hold has passed"
    )
    left_weights: LeftWeights = Field(
        LeftWeights.REPAIR,
        description="what to do with an alias that somebody else left with two versions: give its primary "
        "version all traffic, or reject the release",
    )
    alarms: AlarmConfig = Field(default_factory=AlarmConfig, description="alarms armed during the rollout")

    @model_validator(mode="after")
    def _check_steps(self) -> StageConfig:
        if self.steps is not None and list(self.steps) != sorted(set(self.steps)):
            message = f"steps must rise from one to the next, not {list(self.steps)}"
            raise ValueError(message)
        return self

    @field_validator("bake")
    @classmethod
    def _check_bake(cls, bake: int | None) -> int | None:
        """A shorter one would end before an alarm can fire: a minute's metrics, their delay, the look."""
        if bake is not None and 0 < bake < SHORTEST_BAKE:
            message = f"a bake lasts {SHORTEST_BAKE} seconds or more, or no alarm can end it; 0 leaves it out"
            raise ValueError(message)
        return bake

    def for_stage(self, *, production: bool) -> StageConfig:
        """The same with the defaults that depend on the stage: production is canaried, others are not."""
        given: dict[str, Any] = {}
        if self.steps is None:
            given["steps"] = (10, 50) if production else ()
        if self.bake is None:
            given["bake"] = 600 if production else 0
        return self.model_copy(update=given)


class TestsConfig(Frozen):
    """The service's own tests."""

    __test__ = False  # pytest would collect it by its name

    command: str | None = Field(
        None,
        min_length=1,
        description="default: `pytest -q tests/unit`, or `pytest -q tests` but for integration tests, if any",
    )
    requirements: tuple[str, ...] | None = Field(
        None,
        description="requirement files to install first; default: the tests', the root's, the functions'",
    )
    timeout: Duration = Field(600, ge=1, le=840, description="after this the tests count as failed")


class ServiceConfig(Frozen):
    """The whole of tidegate.yaml."""

    service: ServiceName | None = Field(None, description="the service's name; default: the repository's")
    template: str | None = Field(
        None, description="path of the template; default: the first usual name found"
    )
    tests: TestsConfig = Field(default_factory=TestsConfig, description="the service's own tests")
    stages: dict[StageName, StageConfig] = Field(default_factory=dict, description="settings by stage")
    smoke: dict[StageName, dict[str, tuple[str, ...]]] = Field(
        default_factory=dict,
        description="by stage and function: event files that are safe to invoke it with",
    )
    failure_mark: str = Field(
        '{ $.level = "ERROR" }',
        description="CloudWatch Logs filter pattern of a log line that marks its request as failed",
    )

    def stage(self, name: str, *, production: bool) -> StageConfig:
        """The settings of one stage, defaults filled in."""
        return self.stages.get(name, StageConfig()).for_stage(production=production)
