"""The traffic restored in the invocation that decided it: no other Lambda lies between the alarm and this."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tidegate.adapters.plans import find_rollouts
from tidegate.adapters.restoring import restore
from tidegate.domain.errors import RestoreFailed
from tidegate.task import logger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.rollouts import Rollout
    from tidegate.task import Tools


@contextmanager
def entering(tools: Tools) -> Iterator[Future[None]]:
    """Assume the roles of all stages meanwhile: nothing that is found out decides whether that is needed.

    Nothing is lost where it fails and nothing is restored, and it leaves where something is.
    """
    enter = tools.prepare_entry()
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(enter)


def restore_traffic(ref: ReleaseRef, entered: Future[None], tools: Tools) -> tuple[Rollout, ...] | None:
    """Restore every alias of every stage, production first; None where that has to be tried again."""
    stages = [target.name for target in reversed(tools.settings.stages)]
    rollouts = find_rollouts(tools.documents, ref, stages)
    try:
        entered.result()
        restore(ref, rollouts, tools.ledger, lambda stage: tools.stage(stage).urgent_functions)
    except RestoreFailed as error:
        logger().warning("not all traffic is restored yet", extra={"reason": str(error)})
        return None
    return rollouts
