"""How traffic moves: the functions that shift together, where their aliases point, and the next move.

An alias points at one version, or at two with a weight for the second. Promotion and restoring are one write:
the version together with empty weights, since Lambda refuses a version that is still in the routing.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from pydantic import Field

from tidegate.domain.config import OnInsufficientEvidence, StageConfig
from tidegate.domain.identity import Frozen
from tidegate.domain.judge import Status, Verdict

ALL: Final = 100
LONGEST_LOOK: Final = 900  # seconds between two looks of the judge
ARRIVAL: Final = 2  # periods of a metric that may still be on their way


class RollingFunction(Frozen):
    """A function that moves from its stable to its canary version; named as Lambda knows it."""

    logical_id: str
    name: str
    alias: str
    stable: str
    canary: str
    log_group: str


class Rollout(Frozen):
    """All functions that shift together in one stage.

    `undivided` names those whose alias cannot hold both versions, since their role or dead letter queue
    differs (AWS Lambda Developer Guide, "Implement Lambda canary deployments using a weighted alias").
    """

    stage: str
    functions: tuple[RollingFunction, ...]
    undivided: tuple[str, ...] = ()


class Pointing(Frozen):
    """Where an alias points: the primary version, and the share of an additional one (0 to 1), if any."""

    version: str
    weights: dict[str, float] = Field(default_factory=dict)


class Shift(Frozen):
    """A weight that was given, and when; `started_at` is the time of the stage's first shift."""

    step: int
    weight: int
    at: datetime


class Move(StrEnum):
    """What the state machine does next."""

    SHIFT = "shift"
    HOLD = "hold"
    LEAVE = "leave"


class NextMove(Frozen):
    """The move; `weight` where it is a shift, `wait` in seconds until the next look where it is a hold."""

    next: Move
    weight: int = 0
    wait: float = 0
    reason: str


def point(function: RollingFunction, weight: int) -> Pointing:
    """Where the alias must point for a weight in percent: 0 restores, 100 promotes."""
    if weight == 0:
        return Pointing(version=function.stable)
    if weight == ALL:
        return Pointing(version=function.canary)
    return Pointing(version=function.stable, weights={function.canary: weight / ALL})


def is_foreign(function: RollingFunction, found: Pointing) -> bool:
    """Whether somebody else moved the alias: it names a version that is neither stable nor canary."""
    return not {found.version, *found.weights} <= {function.stable, function.canary}


def first_weight(config: StageConfig) -> int:
    """The weight of the first shift."""
    return config.steps[0] if config.steps else ALL


def follow(config: StageConfig, weight: int) -> int:
    """The weight after `weight`."""
    return next((step for step in config.steps or () if step > weight), ALL)


def count_looks(config: StageConfig, functions: int) -> int:
    """How many verdicts can roll a stage back: one per weight and function."""
    return max(1, len(config.steps or ())) * functions


def move_on(
    config: StageConfig,
    shift: Shift,
    verdict: Verdict | None,
    now: datetime,
    period: int,
) -> NextMove | None:
    """What to do after a look; None where the longest hold has passed without enough evidence.

    `verdict` is None at 100 %: there is no stable traffic to compare with, so the bake is left to the alarms.
    `period` is that of the metrics: a look before the next period is over would see nothing new. A verdict
    to roll back is not this function's: it never asks for a move.
    """
    held = (now - shift.at).total_seconds()
    if verdict is None:
        left = (config.bake or 0) - held
        if left <= 0:
            return NextMove(next=Move.LEAVE, reason="the bake is over")
        return NextMove(next=Move.HOLD, wait=left, reason="baking")
    if verdict.status is Status.ADVANCE:
        weight = follow(config, shift.weight)
        return NextMove(next=Move.SHIFT, weight=weight, reason=verdict.reason)
    if held < config.longest_hold:
        wait = min(max(config.interval / 4, period), LONGEST_LOOK)
        return NextMove(next=Move.HOLD, wait=wait, reason=verdict.reason)
    if config.on_insufficient_evidence is OnInsufficientEvidence.PROMOTE and not is_suspicious(verdict):
        reason = f"advanced without enough evidence, as configured: {verdict.reason}"
        return NextMove(next=Move.SHIFT, weight=follow(config, shift.weight), reason=reason)
    return None


def is_suspicious(verdict: Verdict) -> bool:
    """Whether the hold has another reason than too few requests."""
    return not verdict.reason.startswith("not enough evidence")


def window(shift: Shift, now: datetime, period: int) -> tuple[datetime, datetime]:
    """The whole periods (seconds) under one weight whose metrics have arrived: [start, end).

    A period that holds requests of two weights is left out, and so are the newest ones, whose metrics are
    still coming in: log lines are there at once, and would count against requests that are not.
    """
    start = math.ceil(shift.at.timestamp() / period) * period
    end = math.floor(now.timestamp() / period) * period - ARRIVAL * period
    zone = now.tzinfo
    return datetime.fromtimestamp(start, zone), datetime.fromtimestamp(max(start, end), zone)


def first_look(config: StageConfig, at: datetime, period: int) -> float:
    """Seconds from a shift to its first look: the interval, but not before a whole period can be read."""
    readable = math.ceil(at.timestamp() / period) * period + (1 + ARRIVAL) * period - at.timestamp()
    return max(config.interval, readable)


def pace(config: StageConfig, factor: float) -> StageConfig:
    """The configuration with its durations as they run here: 1 on AWS, less in the local cloud."""
    return config.model_copy(
        update={
            "interval": config.interval * factor,
            "bake": (config.bake or 0) * factor,
            "longest_hold": config.longest_hold * factor,
        }
    )


def is_within_bake(closed_at: datetime, bake: float, now: datetime) -> bool:
    """Whether an alarm may still roll back a release that has completed."""
    return now <= closed_at + timedelta(seconds=bake)
