"""The service's configuration, `tidegate.yaml`: one model, unknown keys refused, a default for everything.

A service without the file is released by these defaults. Durations are written `90s`, `5m` or `2h` and are
whole seconds from here on; shares are percent.
"""

from __future__ import annotations

import re
from contextlib import suppress
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from tidegate.domain import log_patterns
from tidegate.domain.audits.policies import AuditConfig
from tidegate.domain.identity import Frozen, ServiceName, StageName
from tidegate.domain.leaks import SecretsConfig
from tidegate.domain.signals import MODES, Mode, Signal
from tidegate.domain.strategies import ADAPTIVE, AT_ONCE, Strategy, parse_strategy

SHORTEST_BAKE: Final = 180
DAY: Final = 86_400
# A rollout is looked at some hundred times a day, and an execution's history has an end.
LONGEST_HOLD: Final = 3 * DAY
# An execution of the release machine ends after 30 days; the rest of the way takes hours at most.
LONGEST_RELEASE: Final = 28 * DAY
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


def show_duration(seconds: float) -> str:
    """`10m`, in the largest unit that leaves a whole number."""
    for unit, size in reversed(UNITS.items()):
        if seconds and seconds % size == 0:
            return f"{seconds // size:.0f}{unit}"
    return f"{seconds:g}s"


def check_strategy(name: str) -> str:
    """The name of a strategy that there is."""
    return parse_strategy(name).name


STRATEGY_PATTERN: Final = (
    r"^(adaptive|AllAtOnce|Canary\d+(\.\d+)?Percent\d+Minutes?|Linear\d+(\.\d+)?PercentEvery\d+Minutes?)$"
)
StrategyName = Annotated[
    str,
    AfterValidator(check_strategy),
    WithJsonSchema({"type": "string", "pattern": STRATEGY_PATTERN}, mode="validation"),
]


class Approval(StrEnum):
    """Whether a person must agree before a stage is entered."""

    NONE = "none"
    REQUIRED = "required"


class OnInsufficientEvidence(StrEnum):
    """What to do when the longest hold has passed and the evidence still does not suffice.

    `floor` promotes if nothing speaks against the new version and each function has served
    `minimum_invocations` with it, and tells how much worse it may be for all that was seen; `promote` does so
    after no request at all.
    """

    ROLLBACK = "rollback"
    FLOOR = "floor"
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


class SignalsConfig(Frozen):
    """What is watched. The first five compare the new version with the stable one over the same minutes.

    The others show how both fare together. They are out of bounds where they are worse than in the hour
    before, and never evidence against a version: `hold` keeps the rollout from going on, `enforce` ends it.
    """

    errors: Mode = Field(MODES[Signal.ERRORS], description="requests that failed")
    timeouts: Mode = Field(MODES[Signal.TIMEOUTS], description="requests that ran into their timeout")
    latency: Mode = Field(
        MODES[Signal.LATENCY], description="warm requests slower than the stable version's usual quantiles"
    )
    cost: Mode = Field(
        MODES[Signal.COST], description="warm requests billed more GB-seconds than the usual quantiles"
    )
    init: Mode = Field(
        MODES[Signal.INIT], description="cold starts that take longer than those of the stable version"
    )
    dead_letters: Mode = Field(
        Mode.HOLD,
        description="messages that come into the dead letter queues of a function and of its event sources, "
        "and events that cannot be delivered there",
    )
    dropped_events: Mode = Field(Mode.HOLD, description="asynchronous events that are given up")
    throttles: Mode = Field(Mode.HOLD, description="requests that are throttled")
    concurrency: Mode = Field(
        Mode.HOLD,
        description="executions at once that are near what is reserved for a function or the account's limit",
    )
    queue_depth: Mode = Field(Mode.HOLD, description="messages that wait in a queue that a function reads")
    queue_age: Mode = Field(Mode.HOLD, description="how long the oldest of them has waited")
    iterator_age: Mode = Field(Mode.HOLD, description="how late the records of a stream are read")
    api_errors: Mode = Field(Mode.HOLD, description="answers with 5XX of an API that calls a function")

    def mode(self, signal: str) -> Mode:
        """What the signal of that name may do."""
        found: Mode = getattr(self, signal)
        return found


class StageConfig(Frozen):
    """How a release goes through one stage."""

    stack_name: str | None = Field(None, description="the stack's name; by default <service>-<stage>")
    parameters: dict[str, str] = Field(default_factory=dict, description="the template's parameters")
    capabilities: tuple[str, ...] = Field((), description="capabilities that CloudFormation asks for")
    approval: Approval = Field(Approval.NONE, description="whether a person must approve the stage first")
    approval_timeout: Duration = Field(
        7 * DAY, ge=1, le=14 * DAY, description="how long an approval is waited for, 14d at most"
    )
    strategy: StrategyName | None = Field(
        None,
        description="how traffic moves: `adaptive`, as fast as evidence comes in, or a schedule by name: "
        "`AllAtOnce`, `CanaryXPercentYMinutes`, `LinearXPercentEveryYMinutes`",
    )
    margin: float = Field(
        0.5,
        gt=0,
        le=50,
        description="percent of requests that the new version may fail more than the stable one; "
        "`adaptive` promotes when the evidence excludes more",
    )
    slower: float = Field(
        25,
        ge=0,
        le=1000,
        description="percent by which warm requests may take longer, and cost more, with the new version; "
        "10 ms in any case",
    )
    least_time: Duration = Field(
        180, le=LONGEST_HOLD, description="how long `adaptive` observes the new version at least; 3d at most"
    )
    probes: int = Field(
        0,
        ge=0,
        le=50,
        description="pairs of invocations, one of each version, made at each look for a function that lacks "
        "evidence, with the events that `smoke` declares safe; 0 for none",
    )
    signals: SignalsConfig = Field(
        default_factory=SignalsConfig, description="what each signal of the judge may do"
    )
    bake: Duration | None = Field(
        None, description="how long all traffic is observed after the promotion, 3d at most"
    )
    minimum_invocations: int = Field(
        20, ge=1, description="requests that each function must have served with the new version"
    )
    longest_hold: Duration = Field(
        3600,
        le=LONGEST_HOLD,
        description="how long evidence is waited for, beyond the schedule of a strategy that has one; "
        "3d at most",
    )
    on_insufficient_evidence: OnInsufficientEvidence = Field(
        OnInsufficientEvidence.FLOOR, description="what to do when the longest hold has passed"
    )
    left_weights: LeftWeights = Field(
        LeftWeights.REPAIR,
        description="what to do with an alias that somebody else left with two versions: give its primary "
        "version all traffic, or reject the release",
    )
    alarms: AlarmConfig = Field(default_factory=AlarmConfig, description="alarms armed during the rollout")

    @field_validator("bake")
    @classmethod
    def _check_bake(cls, bake: int | None) -> int | None:
        """A shorter one would end before an alarm can fire: a minute's metrics, their delay, the look."""
        if bake is not None and 0 < bake < SHORTEST_BAKE:
            message = f"a bake lasts {SHORTEST_BAKE} seconds or more, or no alarm can end it; 0 leaves it out"
            raise ValueError(message)
        if bake is not None and bake > LONGEST_HOLD:
            message = f"a bake lasts {show_duration(LONGEST_HOLD)} at most"
            raise ValueError(message)
        return bake

    @property
    def conflict(self) -> str:
        """Why the times that were given cannot both be kept; empty if they can."""
        given = self.strategy in {None, ADAPTIVE} and "least_time" in self.model_fields_set
        if given and self.least_time > self.longest_hold:
            return f"is longer than longest_hold, which is {show_duration(self.longest_hold)}"
        return ""

    @property
    def longest(self) -> float:
        """Seconds that the stage may take, waiting for people and for evidence."""
        approval = self.approval_timeout if self.approval is Approval.REQUIRED else 0
        return approval + self.rollout.seconds + self.longest_hold + (self.bake or 0)

    def for_stage(self, *, production: bool) -> StageConfig:
        """The same with the defaults that depend on the stage: production is canaried, others are not."""
        given: dict[str, Any] = {}
        if self.strategy is None:
            given["strategy"] = ADAPTIVE if production else AT_ONCE
        if self.bake is None:
            given["bake"] = 600 if production else 0
        return self.model_copy(update=given)

    @property
    def rollout(self) -> Strategy:
        """The strategy; that of a stage whose defaults are not filled in yet is at once."""
        return parse_strategy(self.strategy or AT_ONCE)


class OnMissingTests(StrEnum):
    """What to do with a service that has no tests of its own: say so in the plan, or end the release."""

    WARN = "warn"
    FAIL = "fail"


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
    timeout: Duration = Field(
        600, ge=1, le=840, description="after this the tests count as failed; 14m at most"
    )
    report: str | None = Field(
        None,
        min_length=1,
        description="JUnit XML that `command` writes, so that a failed test is named; pytest's needs no name",
    )
    missing: OnMissingTests = Field(
        OnMissingTests.WARN, description="no tests: `warn` in the plan, or `fail` the release"
    )


class ServiceConfig(Frozen):
    """The whole of tidegate.yaml."""

    service: ServiceName | None = Field(None, description="the service's name; default: the repository's")
    template: str | None = Field(
        None, description="path of the template; default: the first usual name found"
    )
    branches: tuple[str, ...] = Field(
        (), description="branches whose commits may be deployed; default: all that the pipeline releases"
    )
    tests: TestsConfig = Field(default_factory=TestsConfig, description="the service's own tests")
    stages: dict[StageName, StageConfig] = Field(default_factory=dict, description="settings by stage")
    audit: AuditConfig = Field(
        default_factory=AuditConfig, description="known vulnerabilities of dependencies"
    )
    secrets: SecretsConfig = Field(default_factory=SecretsConfig, description="secrets in the source")
    smoke: dict[StageName, dict[str, tuple[str, ...]]] = Field(
        default_factory=dict,
        description="by stage and function (`<child>/<logical id>` in a nested stack): event files that are "
        "safe to invoke it with",
    )
    waves: tuple[tuple[str, ...], ...] = Field(
        (),
        description="groups of functions by name, in order: at each shift the aliases of a group are "
        "written once those of the groups before it have been; functions not named come last, together",
    )
    keep_releases: int = Field(
        3, ge=3, le=50, description="how many healthy releases one can go back to, the live one among them"
    )
    failure_mark: str = Field(
        '{ $.level = "ERROR" }',
        description="CloudWatch Logs filter pattern of a log line that marks its request as failed",
    )

    @model_validator(mode="after")
    def _check_length(self) -> Self:
        """Refuse what could take longer than an execution of the release machine may."""
        longest = sum(stage.longest for stage in self.stages.values())
        if longest > LONGEST_RELEASE:
            message = (
                f"with approvals, schedules, holds and bakes a release could take {longest / DAY:.0f} days; "
                f"{LONGEST_RELEASE // DAY} at most"
            )
            raise ValueError(message)
        return self

    @field_validator("waves")
    @classmethod
    def _check_waves(cls, waves: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
        """Refuse a function that is to come twice, and a wave of none."""
        names = [name for wave in waves for name in wave]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            message = f"{', '.join(twice)}: a function is in one wave"
            raise ValueError(message)
        if not all(waves):
            message = "a wave names at least one function"
            raise ValueError(message)
        return waves

    def wave_of(self, function: str) -> int:
        """When a function's turn is, from 1 on; those that no wave names come last."""
        found = (number for number, wave in enumerate(self.waves, 1) if function in wave)
        return next(found, len(self.waves) + 1)

    @field_validator("failure_mark")
    @classmethod
    def _check_mark(cls, mark: str) -> str:
        """Refuse what CloudWatch Logs would refuse in the middle of a rollout, and what fits every line."""
        if not mark.strip():
            message = "an empty pattern fits every line; leave the key out for the default"
            raise ValueError(message)
        with suppress(log_patterns.UnsupportedPattern):
            log_patterns.read(mark)
        return mark

    def stage(self, name: str, *, production: bool) -> StageConfig:
        """The settings of one stage, defaults filled in."""
        return self.stages.get(name, StageConfig()).for_stage(production=production)
