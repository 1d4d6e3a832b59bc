"""VerifyRecovery: are the aliases on their stable versions, the stacks as they were, the signals quiet?"""

from __future__ import annotations

from typing import Literal

from functions.verify_recovery.signals import find_trouble
from functions.verify_recovery.traffic import find_split, has_shifted
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.domain.ledger import ClaimState, Failure, Outcome
from tidegate.domain.recovery import decide
from tidegate.task import Tools, task

LOOK_SECONDS = 15
# Where one of these has failed for good, the repair itself is what went wrong.
REPAIR = frozenset({"RestoreTraffic", "UndoRelease"})


class Request(Frozen):
    """`undone` is what UndoRelease said; `looks` counts the looks at the signals before this one."""

    release: ReleaseRef
    failure: Failure
    undone: bool
    looks: int


class Response(Frozen):
    """`verifying` asks for another look after `wait_seconds`; everything else is final and recorded."""

    status: Literal["verifying", "rejected", "rolled_back", "needs_operator"]
    looks: int
    wait_seconds: int
    reason: str


def handle(request: Request, tools: Tools) -> Response:
    """Look once; at the end close the release, tell, and free the claim or keep it for an operator."""
    release, wait = request.release, LOOK_SECONDS
    claim = tools.ledger.check_epoch(release)
    stuck = request.failure.state in REPAIR
    if not request.undone and not stuck:
        reason = "the stacks are being undone"
        return Response(status="verifying", looks=request.looks, wait_seconds=wait, reason=reason)
    shifted = has_shifted(release, tools)
    trouble = find_split(release, tools) or (find_trouble(release, tools) if shifted else "")
    outcome = Outcome.NEEDS_OPERATOR if stuck else decide(trouble, request.looks, shifted=shifted)
    if outcome is None:
        return Response(status="verifying", looks=request.looks + 1, wait_seconds=wait, reason=trouble)
    reason = f"{request.failure.reason}{f'; not recovered: {trouble}' if trouble else ''}"
    what = f"{outcome.replace('_', ' ')}: {reason}"
    tools.record(release, "VerifyRecovery", what, key=f"{release.epoch}", evidence={"looks": request.looks})
    tools.ledger.close_release(release, outcome, reason, tools.now())
    kind = {Outcome.REJECTED: "Release Rejected", Outcome.ROLLED_BACK: "Release Rolled Back"}
    message = f"{release.service}: release {release.id} {what}"
    tools.bus.publish(kind.get(outcome, "Operator Needed"), release, message)
    if outcome is Outcome.NEEDS_OPERATOR:
        tools.ledger.write_claim(claim.model_copy(update={"state": ClaimState.OPERATOR}), over=claim)
    else:
        tools.ledger.free_claim(release)
    return Response(status=outcome.value, looks=request.looks, wait_seconds=wait, reason=reason)


handler = task(Request, handle)
