"""How traffic moves: the functions that shift together, where their aliases point, and the next move.

An alias points at one version, or at two with a weight for the second. Promotion and restoring are one write:
the version together with empty weights, since Lambda refuses a version that is still in the routing.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, Final

from pydantic import Field

from tidegate.domain.config import OnInsufficientEvidence, StageConfig
from tidegate.domain.identity import Frozen
from tidegate.domain.strategies import ALL, Kind, Strategy

if TYPE_CHECKING:
    from collections.abc import Iterable

    # Imported where a verdict is at hand: nothing that restores traffic needs the judge.
    from tidegate.domain.judging import Verdict

LONGEST_LOOK: Final = 900  # seconds between two looks of the judge
LOOKS_PER_AGE: Final = (
    100  # a rollout is looked at so often while its age doubles, not counting the first looks
)
ARRIVAL: Final = 2  # periods of a metric that may still be on their way


class RollingFunction(Frozen):
    """A function that moves from its stable to its canary version; named as Lambda knows it.

    `wave` is when its turn is in each shift, from 1 on.
    """

    logical_id: str
    name: str
    alias: str
    stable: str
    canary: str
    log_group: str
    wave: int = 1


class Rollout(Frozen):
    """All functions that shift together in one stage.

    `undivided` names those whose alias cannot hold both versions, since their role or dead letter queue
    differs (AWS Lambda Developer Guide, "Implement Lambda canary deployments using a weighted alias").
    `limits` are the names of alarms that an operator has set as limits. `revisions` are those that the
    aliases had before the versions were published, by logical id: the first shift needs to read none.
    """

    stage: str
    functions: tuple[RollingFunction, ...]
    undivided: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    revisions: dict[str, str] = Field(default_factory=dict)

    @property
    def waves(self) -> list[list[RollingFunction]]:
        """The functions whose turn is the same, in the order of their turns."""
        order = sorted(self.functions, key=lambda function: function.wave)
        return [list(wave) for _, wave in groupby(order, key=lambda function: function.wave)]


class Pointing(Frozen):
    """Where an alias points: the primary version, and the share of an additional one (0 to 1), if any."""

    version: str
    weights: dict[str, float] = Field(default_factory=dict)


class Shift(Frozen):
    """A weight in percent; the aliases were being written from `began` to `at`, and `made` says all are."""

    step: int
    weight: float
    began: datetime
    at: datetime
    made: bool = False


class Move(StrEnum):
    """What the state machine does next."""

    SHIFT = "shift"
    HOLD = "hold"
    LEAVE = "leave"


class NextMove(Frozen):
    """The move; `weight` where it is a shift, `wait` in seconds until the next look where it is a hold.

    `by_policy` says that not the evidence but the service's configuration has it go on.
    """

    next: Move
    weight: float = 0
    wait: float = 0
    reason: str
    by_policy: bool = False


def point(function: RollingFunction, weight: float) -> Pointing:
    """Where the alias must point for a weight in percent: 0 restores, 100 promotes."""
    if weight == 0:
        return Pointing(version=function.stable)
    if weight == ALL:
        return Pointing(version=function.canary)
    return Pointing(version=function.stable, weights={function.canary: round(weight / ALL, 6)})


def is_foreign(function: RollingFunction, found: Pointing) -> bool:
    """Whether somebody else moved the alias: it names a version that is neither stable nor canary."""
    return not {found.version, *found.weights} <= {function.stable, function.canary}


def first_weight(strategy: Strategy, ramp: float) -> float:
    """The weight of the first shift in percent; `ramp` is what the judge proposes for it (0 to 1)."""
    if strategy.kind is Kind.ADAPTIVE:
        return round(ramp * ALL, 4)
    return strategy.follow(0)


def move_on(
    config: StageConfig,
    strategy: Strategy,
    shifts: tuple[Shift, ...],
    verdict: Verdict | None,
    now: datetime,
    delay: float,
) -> NextMove | None:
    """What to do after a look; None where the longest hold has passed without enough evidence.

    config, strategy: with their durations as they run here. shifts: of this stage, in order. verdict: None at
    100 %, where there is no stable traffic to compare with. delay: seconds until a request can be read. A
    verdict to roll back is not this function's: it never asks for a move.
    """
    shift, age = shifts[-1], (now - shifts[0].at).total_seconds()
    held = (now - shift.at).total_seconds()
    wait = next_look(age, delay)
    if verdict is None:
        left = (config.bake or 0) - held
        if left <= 0:
            return NextMove(next=Move.LEAVE, reason="the bake is over")
        return NextMove(next=Move.HOLD, wait=min(left, max(wait, 4 * delay)), reason="baking")
    if strategy.kind is Kind.ADAPTIVE:
        return _ramp(config, shift, verdict, wait)
    return _keep_time(config, strategy, shift, verdict, held, wait)


def _ramp(config: StageConfig, shift: Shift, verdict: Verdict, wait: float) -> NextMove | None:
    from tidegate.domain.judging import Status

    if verdict.status is Status.PROMOTE:
        return NextMove(next=Move.SHIFT, weight=ALL, reason=verdict.reason)
    if verdict.status is Status.INSUFFICIENT_EVIDENCE:
        return _settle(config, verdict, ALL)
    weight = shift.weight if verdict.weight is None else round(verdict.weight * ALL, 4)
    if weight != shift.weight:
        return NextMove(next=Move.SHIFT, weight=weight, reason=verdict.reason)
    return NextMove(next=Move.HOLD, wait=wait, reason=verdict.reason)


def _keep_time(
    config: StageConfig, strategy: Strategy, shift: Shift, verdict: Verdict, held: float, wait: float
) -> NextMove | None:
    """A schedule goes on when it is time, each function has served enough, and nothing is suspicious."""
    left, follow = strategy.interval - held, strategy.follow(shift.weight)
    if held >= strategy.interval + config.longest_hold:
        return _settle(config, verdict, follow)
    if left > 0 or not is_clear(verdict):
        return NextMove(next=Move.HOLD, wait=min(left, wait) if left > 0 else wait, reason=verdict.reason)
    if short := find_short(config, verdict):
        return NextMove(next=Move.HOLD, wait=wait, reason=short)
    return NextMove(next=Move.SHIFT, weight=follow, reason=verdict.reason)


def _settle(config: StageConfig, verdict: Verdict, weight: float) -> NextMove | None:
    """After the longest hold: what the service's policy says, but never in the face of suspicion."""
    policy = config.on_insufficient_evidence
    if not is_clear(verdict) or policy is OnInsufficientEvidence.ROLLBACK:
        return None
    if policy is OnInsufficientEvidence.FLOOR and find_short(config, verdict):
        return None
    reason = f"advanced without enough evidence, as configured: {verdict.reason}"
    return NextMove(next=Move.SHIFT, weight=weight, reason=reason, by_policy=True)


def tell_end(verdict: Verdict | None, config: StageConfig) -> str:
    """Why a rollout ends for want of evidence, said once, and what may be set against it."""
    from tidegate.domain.judging import Status

    reason = verdict.reason if verdict else ""
    if verdict is None or verdict.status is not Status.INSUFFICIENT_EVIDENCE:
        reason += f"; the longest hold of {config.longest_hold:g} s has passed"
    return f"{reason}; see `probes` and `on_insufficient_evidence` in tidegate.yaml"


def is_clear(verdict: Verdict) -> bool:
    """Whether nothing speaks against going on; too little evidence alone does not."""
    from tidegate.domain.judging import Status

    settled = {Status.RAMP, Status.HOLD, Status.PROMOTE, Status.INSUFFICIENT_EVIDENCE}
    return verdict.status in settled and verdict.obstacle is None


def find_short(config: StageConfig, verdict: Verdict) -> str:
    """The first function that has served too few requests with the new version; empty where none has."""
    for function in verdict.functions:
        if function.judged < config.minimum_invocations:
            return (
                f"not enough evidence: {function.function} served {function.judged} requests with "
                f"the new version, {config.minimum_invocations} needed"
            )
    return ""


def next_look(age: float, delay: float) -> float:
    """Seconds to the next look of a rollout of that age: as soon as there is news, but ever more seldom.

    So a rollout of a day has about 550 looks, and its execution stays far below 25,000 events.
    """
    return min(max(delay / 2, age / LOOKS_PER_AGE), max(LONGEST_LOOK, delay))


def first_look(delay: float) -> float:
    """Seconds from a shift to its first look: nothing can be read before."""
    return delay


def is_unmixed(at: float, seconds: float, shifts: Iterable[Shift]) -> bool:
    """Whether a span of requests saw one weight only: no alias was written in it."""
    return all(at + seconds <= shift.began.timestamp() or at >= shift.at.timestamp() for shift in shifts)


def window(since: datetime, now: datetime, period: int) -> tuple[datetime, datetime]:
    """The whole periods (seconds) since a shift whose metrics have arrived: [start, end).

    A period that holds requests of two weights is left out, and so are the newest ones, whose metrics are
    still coming in: log lines are there at once, and would count against requests that are not.
    """
    start = math.ceil(since.timestamp() / period) * period
    end = math.floor(now.timestamp() / period) * period - ARRIVAL * period
    zone = now.tzinfo
    return datetime.fromtimestamp(start, zone), datetime.fromtimestamp(max(start, end), zone)


def pace(config: StageConfig, factor: float) -> StageConfig:
    """The configuration with its durations as they run here: 1 on AWS, less in the local cloud."""
    return config.model_copy(
        update={
            "bake": (config.bake or 0) * factor,
            "least_time": config.least_time * factor,
            "longest_hold": config.longest_hold * factor,
        }
    )


def is_within_bake(closed_at: datetime, bake: float, now: datetime) -> bool:
    """Whether an alarm may still roll back a release that has completed."""
    return now <= closed_at + timedelta(seconds=bake)
