"""All aliases of one stage given their weight in one pass, wave by wave; the first that refuses ends it."""

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
    ref: ReleaseRef,
    rollout: Rollout,
    weights: tuple[float, float],
    revisions: Mapping[str, str],
    tools: Tools,
) -> dict[str, str]:
    """Point every alias from the first weight to the second, in percent; gives the revisions they have now.

    One call for each whose revision is known.

    ClaimLost and ForeignChange pass once the writes that had begun have ended.
    """
    writer = AliasWriter(tools.stage(rollout.stage).functions, tools.ledger, ref)

    def give(function: RollingFunction) -> str:
        before, target = (point(function, weight) for weight in weights)
        return writer.shift(function, before, target, revisions.get(function.logical_id, ""))

    return {
        function.logical_id: revision
        for wave in rollout.waves
        for function, revision in zip(wave, side_by_side(give, wave), strict=True)
    }
