"""The claim taken over from whoever holds it: the raised epoch stops every other writer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.domain.errors import ClaimLost
from tidegate.domain.ledger import ClaimState

if TYPE_CHECKING:
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.ledger import Claim
    from tidegate.task import Tools


def take_over(claim: Claim, execution: str, tools: Tools, release: ReleaseRef | None = None) -> Claim:
    """The claim under this execution; a retry keeps what it has. ClaimLost where somebody was quicker.

    It is for the release that had it before, or for `release`, an order of its own.
    """
    if claim.holder == execution and claim.state is ClaimState.HELD:
        return claim
    epoch = claim.epoch + 1
    taken = claim.model_copy(
        update={
            "epoch": epoch,
            "state": ClaimState.HELD,
            "holder": execution,
            "release": (release or claim.release).model_copy(update={"epoch": epoch}),
        }
    )
    if not tools.ledger.write_claim(taken, over=claim):
        message = f"the claim on {claim.service} changed hands during the diagnosis"
        raise ClaimLost(message)
    return taken
