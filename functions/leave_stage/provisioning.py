"""Provisioned concurrency at the end of a stage: the old versions' goes, and what was given is noted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.adapters.provisioning import Provisioner, locate
from tidegate.domain.concurrency import Provided
from tidegate.domain.provisioning import retire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.plans import StagePlan
    from tidegate.domain.rollouts import Rollout
    from tidegate.task import Tools


def retire_versions(ref: ReleaseRef, plan: StagePlan, rollout: Rollout, tools: Tools) -> None:
    """Remove what the old versions have: a rollback after this gives it to them again."""
    if not plan.provisioned:
        return
    stage = tools.stage(plan.stage)
    items = locate(stage.cloudformation, stage.functions, plan, rollout)
    Provisioner(stage.functions, stage.scaling, tools.ledger, ref).run(items, retire)


def note_provided(before: Mapping[str, Provided], plan: StagePlan) -> dict[str, Provided]:
    """What the stage's functions are given from now on."""
    changed = {
        item.logical_id: Provided(amount=item.wanted, scaling=item.scaling) for item in plan.provisioned
    }
    return {key: item for key, item in {**before, **changed}.items() if item.amount}
