"""All aliases of one stage put back in one pass; one that cannot be put back does not keep the others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from tidegate.adapters.aliases import AliasWriter
from tidegate.domain.errors import ForeignChange, RestoreFailed
from tidegate.domain.rollouts import point

if TYPE_CHECKING:
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.rollouts import RollingFunction, Rollout
    from tidegate.task import Tools


def restore_stage(ref: ReleaseRef, rollout: Rollout, tools: Tools) -> int:
    """Point every alias at its stable version; gives how many had to be written.

    ClaimLost passes: a later rollback is at work. Everything else is collected and leaves as RestoreFailed
    once every alias has been tried.
    """
    writer = AliasWriter(tools.stage(rollout.stage).functions, tools.ledger, ref)
    problems: list[str] = []

    def restore(function: RollingFunction) -> bool:
        try:
            return writer.point(function, point(function, 0), force=True)
        except (BotoCoreError, ClientError, ForeignChange) as error:
            problems.append(f"{function.name}:{function.alias}: {error}")
            return False

    with ThreadPoolExecutor(10) as pool:
        written = sum(pool.map(restore, rollout.functions))
    if problems:
        raise RestoreFailed("; ".join(problems[:5]))
    return written
