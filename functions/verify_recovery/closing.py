"""The end of a rollback, told to everybody: the ledger first, the claim last; all of it can be done again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tidegate.adapters.healthy import find_stack_return, write_healthy
from tidegate.domain.healthy import Healthy
from tidegate.domain.ledger import ClaimState, Outcome

if TYPE_CHECKING:
    from tidegate.domain.healthy import GoingBack
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.ledger import Claim
    from tidegate.task import Tools

EVENTS: Final = {
    Outcome.REJECTED: "Release Rejected",
    Outcome.ROLLED_BACK: "Release Rolled Back",
    Outcome.RESTORED: "Release Restored",
}


def close(ref: ReleaseRef, outcome: Outcome, reason: str, claim: Claim, tools: Tools) -> None:
    """Close the release, tell, and free the claim or keep it for an operator."""
    what = f"{outcome.replace('_', ' ')}: {reason}"
    tools.record(ref, "VerifyRecovery", what, key=f"{ref.epoch}")
    tools.ledger.close_release(ref, outcome, reason, tools.now(), under=ref)
    message = f"{ref.service}: release {ref.id} {what}"
    tools.announce("VerifyRecovery", EVENTS.get(outcome, "Operator Needed"), ref, message)
    if outcome is Outcome.NEEDS_OPERATOR:
        tools.ledger.write_claim(claim.model_copy(update={"state": ClaimState.OPERATOR}), over=claim)
    else:
        tools.ledger.free_claim(ref)


def settle(ref: ReleaseRef, going: GoingBack, tools: Tools) -> None:
    """What was gone back to is the last healthy state, and the release that was left is rolled back."""
    for stage, key in going.healthy.items():
        target = tools.documents.read(key, Healthy)
        returned = find_stack_return(tools.documents, ref, stage)
        left = returned is None or bool(returned.left)
        healthy = target.model_copy(
            update={
                "release_id": ref.id,
                "restores": going.target.id,
                "unproven": tuple(target.functions) if left else (),
            }
        )
        write_healthy(tools.ledger, tools.documents, ref, healthy)
    if going.over is not None:
        reason = f"went back to release {going.target.id} by order {ref.id}: {going.reason}"
        tools.record(going.over, "VerifyRecovery", f"rolled back: {reason}", key=ref.id)
        tools.ledger.close_release(going.over, Outcome.ROLLED_BACK, reason, tools.now(), under=ref)
        message = f"{ref.service}: release {going.over.id} rolled back: {reason}"
        tools.announce("VerifyRecovery", "Release Rolled Back", going.over, message)
