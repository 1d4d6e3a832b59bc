"""Where the release's aliases point now, and whether it ever moved them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.adapters.aliases import find_alias
from tidegate.adapters.plans import find_rollout
from tidegate.domain.rollouts import point

if TYPE_CHECKING:
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.rollouts import RollingFunction
    from tidegate.task import Tools


def has_shifted(ref: ReleaseRef, tools: Tools) -> bool:
    """Whether the release decided to move traffic in any stage: the decision is recorded before the move."""
    return any(entry.step == "ShiftTraffic" for entry in tools.ledger.entries(ref.service, ref.id))


def find_split(ref: ReleaseRef, tools: Tools) -> str:
    """The first alias that is not wholly on its stable version, in words; empty where all are."""
    for target in tools.settings.stages:
        rollout = find_rollout(tools.documents, ref, target.name)
        for function in rollout.functions if rollout else ():
            if not _is_stable(function, target.name, tools):
                return (
                    f"{function.name}:{function.alias} in {target.name} is not on version {function.stable}"
                )
    return ""


def _is_stable(function: RollingFunction, stage: str, tools: Tools) -> bool:
    state = find_alias(tools.stage(stage).functions, function.name, function.alias)
    return state is not None and state.pointing == point(function, 0)
