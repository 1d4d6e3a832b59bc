"""A release's aliases put back in one pass over all its stages; one that fails does not keep the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from tidegate.adapters.aliases import AliasWriter
from tidegate.adapters.threads import side_by_side
from tidegate.domain.errors import ForeignChange, RestoreFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mypy_boto3_lambda import LambdaClient

    from tidegate.adapters.ledger import Ledger
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.rollouts import RollingFunction, Rollout

TOLD: Final = 5  # problems that one message names


def restore(
    ref: ReleaseRef,
    rollouts: Iterable[Rollout],
    ledger: Ledger,
    client: Callable[[str], LambdaClient],
    *,
    spare: bool = False,
) -> tuple[str, ...]:
    """Point every alias at its stable version, in the order of the rollouts.

    `client` gives Lambda of a stage. With `spare` an alias that somebody else has moved off the new version
    is left where it is, and is in the answer as function:alias. ClaimLost passes: a later rollback is at
    work. Everything else is collected and leaves as RestoreFailed once every alias has been tried.
    """
    moves = [(AliasWriter(client(r.stage), ledger, ref), f) for r in rollouts for f in r.functions]
    problems: list[str] = []
    spared: list[str] = []

    def put_back(move: tuple[AliasWriter, RollingFunction]) -> None:
        writer, function = move
        try:
            if not spare:
                writer.restore(function)
            elif not writer.restore_own(function):
                spared.append(f"{function.name}:{function.alias}")
        except (BotoCoreError, ClientError, ForeignChange) as error:
            problems.append(f"{function.name}:{function.alias}: {error}")

    side_by_side(put_back, moves)
    if problems:
        raise RestoreFailed("; ".join(problems[:TOLD]))
    return tuple(sorted(spared))
