"""The alarms that an operator has set as limits: one that goes off ends the rollout whatever the evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tidegate.adapters.limits import read_limits
from tidegate.domain.errors import CanaryFailed
from tidegate.domain.strategies import ALL
from tidegate.domain.wording import list_names

if TYPE_CHECKING:
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.rollouts import Rollout
    from tidegate.domain.trials import Trial
    from tidegate.task import Tools


class Limited(NamedTuple):
    """What a verdict says of the limits, and why a rollout holds at them."""

    note: str = ""
    holds: tuple[str, ...] = ()


def check_limits(ref: ReleaseRef, rollout: Rollout, trial: Trial, tools: Tools) -> Limited:
    """What follows of the limits; CanaryFailed where one was broken since the first shift.

    One that is not there cannot be broken, so nothing goes on without it. A bake ends by the clock: it tells.
    """
    if not rollout.limits:
        return Limited()
    first = trial.shifts[0]
    limits = read_limits(tools.stage(rollout.stage).cloudwatch, rollout.limits, first.began)
    if limits.broken:
        reason = f"limit broken: alarm {list_names(limits.broken)} went off since the first shift"
        tools.record(
            ref,
            "JudgeCanary",
            f"rollback: {reason}",
            stage=rollout.stage,
            key="limit",
            evidence={"status": "rollback", "weight": trial.shifts[-1].weight, **limits.model_dump()},
        )
        tools.bus.publish("Verdict Reached", ref, f"{ref.service}: {reason}", stage=rollout.stage)
        raise CanaryFailed(reason)
    note = ""
    if limits.standing:
        note += (
            f"; alarm {list_names(limits.standing)} was in ALARM before the first shift and does not count"
        )
    missing = tuple(f"alarm {name} is a limit but does not exist" for name in limits.missing)
    if missing and trial.shifts[-1].weight == ALL:
        what = f"{'; '.join(missing)}: it cannot end the bake"
        tools.record(ref, "JudgeCanary", what, stage=rollout.stage, key=f"missing#{'#'.join(limits.missing)}")
    return Limited(note, missing)
