"""All aliases of one stage given their weight in one pass; the first that refuses ends it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tidegate.adapters.aliases import AliasWriter
from tidegate.adapters.pacing import find_pacer, pace
from tidegate.domain.rollouts import point

if TYPE_CHECKING:
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.rollouts import RollingFunction, Rollout
    from tidegate.task import Tools


def give_weight(ref: ReleaseRef, rollout: Rollout, weight: float, tools: Tools) -> None:
    """Point every alias, at Lambda's rate of calls: a read and a write for each.

    ClaimLost and ForeignChange pass once the writes that had begun have ended.
    """
    stage = tools.stage(rollout.stage)
    pace(stage.functions, find_pacer(stage.target.account, stage.target.region))
    writer = AliasWriter(stage.functions, tools.ledger, ref)

    def give(function: RollingFunction) -> bool:
        return writer.point(function, point(function, weight))

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(give, rollout.functions))
