"""The alarms that an operator has set as limits: one that goes off ends the rollout whatever the evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.adapters.limits import read_limits
from tidegate.domain.errors import CanaryFailed
from tidegate.domain.wording import list_names

if TYPE_CHECKING:
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.rollouts import Rollout
    from tidegate.domain.trials import Trial
    from tidegate.task import Tools


def check_limits(ref: ReleaseRef, rollout: Rollout, trial: Trial, tools: Tools) -> str:
    """What a verdict says of the limits; CanaryFailed where one was broken since the first shift."""
    if not rollout.limits:
        return ""
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
    if limits.missing:
        note += f"; alarm {list_names(limits.missing)} is a limit but does not exist"
    return note
