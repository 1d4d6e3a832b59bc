"""Where the release's aliases point now, whether their versions can serve, and whether it ever moved them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tidegate.adapters.aliases import AliasWriter, find_alias, find_version, wake
from tidegate.adapters.plans import find_rollouts
from tidegate.adapters.threads import side_by_side
from tidegate.domain.rollouts import point

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_lambda import LambdaClient

    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.ledger import Claim
    from tidegate.domain.rollouts import RollingFunction
    from tidegate.task import Tools


def has_shifted(ref: ReleaseRef, tools: Tools) -> bool:
    """Whether the release decided to move traffic in any stage: the decision is recorded before the move."""
    return any(entry.step == "ShiftTraffic" for entry in tools.ledger.entries(ref.service, ref.id))


def find_split(ref: ReleaseRef, claim: Claim, tools: Tools) -> str:
    """The first alias that is not wholly on its stable version, in words; empty where all are.

    Of two rollbacks the one that lost the claim may have been late by one call: that is put back. What a
    person has moved is not fought. A release that takes itself back overrules nobody: it may have spared an
    alias, whose mark a person's own move has kept.
    """

    def look(client: LambdaClient, function: RollingFunction) -> str:
        state = find_alias(client, function.name, function.alias)
        if state is not None and state.pointing == point(function, 0):
            return ""
        writer = AliasWriter(client, tools.ledger, ref)
        if state is not None and claim.is_of_rollback and writer.is_late(state):
            writer.point(function, point(function, 0), force=True)
        return f"{function.name}:{function.alias} is not on version {function.stable}"

    return _find_first(look, ref, tools)


def find_asleep(ref: ReleaseRef, tools: Tools) -> str:
    """The first stable version that cannot serve, in words; one that was idle for weeks is woken."""

    def look(client: LambdaClient, function: RollingFunction) -> str:
        version = find_version(client, function.name, function.stable)
        if version is not None and version.state == "Active":
            return ""
        if version is not None and version.state == "Inactive":
            wake(client, function.name, function.stable)
        return f"version {function.stable} of {function.name} is {version.state if version else 'gone'}"

    return _find_first(look, ref, tools)


def _find_first(look: Callable[[LambdaClient, RollingFunction], str], ref: ReleaseRef, tools: Tools) -> str:
    """The first trouble that a look at a function tells, with its stage."""
    stages = [target.name for target in tools.settings.stages]
    for rollout in find_rollouts(tools.documents, ref, stages):
        client = tools.stage(rollout.stage).functions
        looks = side_by_side(partial(look, client), rollout.functions)
        trouble = next(filter(None, looks), "")
        if trouble:
            return f"{trouble} in {rollout.stage}"
    return ""
