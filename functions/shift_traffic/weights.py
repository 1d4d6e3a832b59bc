"""All aliases of one stage given their weight in one pass; the first that refuses ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.adapters.aliases import AliasWriter
from tidegate.adapters.threads import side_by_side
from tidegate.domain.rollouts import point

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.rollouts import RollingFunction, Rollout
    from tidegate.task import Tools


def give_weight(
    ref: ReleaseRef, rollout: Rollout, weight: float, revisions: Mapping[str, str], tools: Tools
) -> dict[str, str]:
    """Point every alias, by one call for each whose revision is known; gives the revisions they have now.

    ClaimLost and ForeignChange pass once the writes that had begun have ended.
    """
    writer = AliasWriter(tools.stage(rollout.stage).functions, tools.ledger, ref)

    def give(function: RollingFunction) -> str:
        return writer.shift(function, point(function, weight), revisions.get(function.logical_id, ""))

    names = [function.logical_id for function in rollout.functions]
    return dict(zip(names, side_by_side(give, rollout.functions), strict=True))
