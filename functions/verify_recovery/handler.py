"""VerifyRecovery: are the aliases on their stable versions, the stacks as they were, the signals quiet?"""

from __future__ import annotations

from typing import Literal

from functions.verify_recovery.closing import close, settle
from functions.verify_recovery.signals import find_trouble
from functions.verify_recovery.traffic import find_asleep, find_split, has_shifted
from tidegate.adapters.healthy import find_going_back
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.domain.ledger import Failure, Outcome
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

    status: Literal["verifying", "rejected", "rolled_back", "restored", "needs_operator"]
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
    going = find_going_back(tools.documents, release)
    shifted = going is not None or has_shifted(release, tools)
    trouble = find_split(release, claim, tools)
    if shifted and not trouble:
        trouble = find_trouble(release, going, tools) or find_asleep(release, tools)
    outcome = decide(trouble, request.looks, shifted=shifted, ordered=going is not None)
    if stuck:
        outcome = Outcome.NEEDS_OPERATOR
    if outcome is None:
        return Response(status="verifying", looks=request.looks + 1, wait_seconds=wait, reason=trouble)
    if outcome is Outcome.RESTORED and going is not None:
        settle(release, going, tools)
    reason = f"{request.failure.reason}{f'; not recovered: {trouble}' if trouble else ''}"
    close(release, outcome, reason, claim, tools)
    return Response(status=outcome.value, looks=request.looks, wait_seconds=wait, reason=reason)


handler = task(Request, handle)
