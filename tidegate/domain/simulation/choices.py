"""Which policies of traffic can be replayed, and their settings.

A policy is one text (`adaptive`, `adaptive on metrics`, `Canary10Percent5Minutes`, `AllAtOnce`, `flagger`,
`Linear10PercentEvery1Minute alarm 2%`), or names and values where it has settings. In
`Canary10Percent5Minutes judged` Tidegate's judge takes the place of an alarm.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, field_validator

from tidegate.domain.config import Duration, StageConfig
from tidegate.domain.identity import Frozen
from tidegate.domain.strategies import NAMES, Strategy, parse_strategy

TUNED: Final = "tuned"
JUDGED: Final = " judged"


class Source(StrEnum):
    """Where a judge's counts come from."""

    TELEMETRY = "telemetry"
    METRICS = "metrics"


def parse_share(value: object) -> object:
    """The fraction of `0.1%`, or of a plain fraction; ValueError otherwise."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\+?(\d+(?:\.\d+)?)\s*(%?)", value.strip())
    if match is None:
        message = f"{value!r} is no share; write it as 0.1%"
        raise ValueError(message)
    return float(match[1]) / (100 if match[2] else 1)


def check_share(share: float) -> float:
    """The share, where it is one of a whole."""
    if not 0 <= share <= 1:
        message = f"a share lies between 0 % and 100 %, not at {100 * share:.4g} %"
        raise ValueError(message)
    return share


Share = Annotated[float, BeforeValidator(parse_share), AfterValidator(check_share)]


class AlarmSettings(Frozen):
    """A CloudWatch alarm on the error rate of the alias: both versions together, in periods of a minute."""

    threshold: Share | Literal["tuned"] = Field(
        TUNED, description="it fires above this share; `tuned` takes the one with 1 % false rollbacks"
    )
    periods: int = Field(1, ge=1, le=60, description="evaluation periods")
    datapoints: int = Field(1, ge=1, le=60, description="datapoints to alarm, of these periods")
    delay: Duration = Field(180, ge=60, description="from a period's start to its evaluation")


class Labelled(Frozen, ABC):
    """A policy that may be given a name of its own."""

    label: str | None = Field(None, alias="name", min_length=1, description="what tables call it")

    @property
    def name(self) -> str:
        """The name that it was given, or what it is."""
        return self.label or self._describe()

    @abstractmethod
    def _describe(self) -> str: ...


class CodeDeployChoice(Labelled):
    """One of CodeDeploy's configurations for Lambda; after all traffic has moved nothing is watched."""

    strategy: str = Field(description="its name, as CodeDeploy has it")
    alarm: AlarmSettings = Field(default_factory=AlarmSettings, description="the alarm that stops it")

    @field_validator("strategy")
    @classmethod
    def _check_name(cls, strategy: str) -> str:
        _parse_schedule(strategy)
        return strategy

    def _describe(self) -> str:
        told = self.alarm.threshold
        return self.strategy if isinstance(told, str) else f"{self.strategy} alarm {100 * told:.4g}%"


class FlaggerChoice(Labelled):
    """Steps with a check of the new version's success rate at each, as Flagger's analysis makes them."""

    strategy: Literal["flagger"] = "flagger"
    interval: Duration = Field(60, ge=5, description="from one check to the next")
    threshold: int = Field(5, ge=1, description="failed checks before it rolls back")
    step_weight: int = Field(10, ge=1, le=100, description="percent that each passed check adds")
    max_weight: int = Field(50, ge=1, le=100, description="percent from which a passed check promotes")
    iterations: int = Field(0, ge=0, description="checks at the greatest weight at once, in place of steps")
    success: Share = Field(0.99, description="the least success rate")
    source: Source | None = Field(None, description="where the counts come from")

    def _describe(self) -> str:
        return self.strategy + (f" on {self.source.value}" if self.source else "")


class AdaptiveChoice(Labelled):
    """Tidegate's own judge with its ramp, or with a schedule that the stage names."""

    strategy: Literal["adaptive"] = "adaptive"
    source: Source | None = Field(None, description="where the counts come from")
    stage: StageConfig = Field(
        default_factory=StageConfig, description="keys of a stage in tidegate.yaml, as for production"
    )

    def _describe(self) -> str:
        schedule = self.stage.strategy
        judged = self.strategy if schedule in {None, self.strategy} else f"{schedule}{JUDGED}"
        return judged + (f" on {self.source.value}" if self.source else "")


def parse_choice(value: object) -> object:
    """The settings of a policy that is written as one text; ValueError says which there are."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    strategy, _, source = text.partition(" on ")
    if strategy in {"adaptive", "flagger"}:
        return {"strategy": strategy} | ({"source": source.strip()} if source else {})
    if strategy.endswith(JUDGED):
        stage = {"strategy": _parse_schedule(strategy.removesuffix(JUDGED)).name}
        return {"strategy": "adaptive", "stage": stage} | ({"source": source.strip()} if source else {})
    strategy, _, alarm = text.partition(" alarm ")
    settings: dict[str, Any] = {"threshold": alarm.strip()} if alarm else {}
    return {"strategy": _parse_schedule(strategy).name, "alarm": settings}


def _parse_schedule(strategy: str) -> Strategy:
    try:
        return parse_strategy(strategy)
    except ValueError as error:
        message = f"{error}{', or flagger' if NAMES in str(error) else ''}"
        raise ValueError(message) from None


def _tell_kind(value: object) -> str:
    strategy = value.get("strategy") if isinstance(value, dict) else getattr(value, "strategy", None)
    return strategy if strategy in {"adaptive", "flagger"} else "codedeploy"


Choice = Annotated[
    Annotated[AdaptiveChoice, Tag("adaptive")]
    | Annotated[FlaggerChoice, Tag("flagger")]
    | Annotated[CodeDeployChoice, Tag("codedeploy")],
    Discriminator(_tell_kind),
    BeforeValidator(parse_choice),
]
DEFAULT_CHOICES: Final = (
    AdaptiveChoice(),
    CodeDeployChoice(strategy="Canary10Percent5Minutes"),
    CodeDeployChoice(strategy="Linear10PercentEvery1Minute"),
    FlaggerChoice(),
)
