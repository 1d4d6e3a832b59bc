"""Who may release a service now: one release at a time, and of those that wait the newest.

A claim whose execution ended without freeing it is not taken over here: the rollback machine repairs it, and
until it has, the release waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from tidegate.adapters.executions import read_status
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.domain.ledger import Claim, ClaimState, Outcome, Release

if TYPE_CHECKING:
    from tidegate.task import Tools

QUEUE: Final = "queue"
SHORTEST_WAIT: Final = 20
LONGEST_WAIT: Final = 1200
WAIT_SHARE: Final = 0.05  # of the time waited so far


class Standing(Frozen):
    """Why a release is not opened now."""

    status: Literal["waiting", "duplicate", "refused"]
    wait_seconds: int = 1
    error: str = ""
    reason: str = ""


def take_turn(release: Release, tools: Tools) -> Standing | None:
    """Refuse a release that was opened before or that a newer one has overtaken; None where it may go on.

    An older commit is never released after a newer one, since that would take the newer one back.
    """
    ref = release.ref
    opened_by = tools.ledger.reserve(ref.service, f"opened#{ref.id}", ref.execution)
    if opened_by != ref.execution:
        return Standing(status="duplicate", reason=f"{ref.id} was released by {opened_by}")
    newest = find_newest(ref, tools)
    if newest.opened_at <= ref.opened_at or _holds_claim(ref, tools):
        return None
    tools.ledger.open_release(release)
    reason = f"superseded by the newer release {newest.id}"
    tools.ledger.close_release(ref, Outcome.SUPERSEDED, reason, tools.now(), under=None)
    tools.record(ref, "OpenRelease", reason, key="superseded")
    tools.announce("OpenRelease", "Release Superseded", ref, f"{ref.service}: release {ref.id} was {reason}")
    return Standing(status="refused", error="Superseded", reason=reason)


def _holds_claim(ref: ReleaseRef, tools: Tools) -> bool:
    """Whether an earlier run of this task took the claim: then the release is under way, not waiting."""
    claim = tools.ledger.read_claim(ref.service)
    return claim is not None and claim.holder == ref.execution and claim.state is ClaimState.HELD


def find_newest(ref: ReleaseRef, tools: Tools) -> ReleaseRef:
    """The newest release that ever wanted the service: this one, where it is newer than all before."""
    while True:
        body = tools.ledger.document(ref.service, QUEUE)
        newest = ReleaseRef.model_validate_json(body) if body else None
        if newest is not None and newest.opened_at >= ref.opened_at:
            return newest
        if tools.ledger.replace_document(ref.service, QUEUE, ref.model_dump_json(), over=body):
            return ref


def open_claim(ref: ReleaseRef, tools: Tools) -> Claim | Standing:
    """Take the claim if it is free, or keep it if this execution has it already."""
    found = tools.ledger.read_claim(ref.service)
    if found is not None and found.holder == ref.execution:
        return found
    if found is not None and found.state is ClaimState.OPERATOR:
        reason = f"release {found.release.id} needs an operator first: tidegate rollback {ref.service}"
        return Standing(status="refused", error="NeedsOperator", reason=reason)
    if found is not None and found.state is ClaimState.HELD:
        return _look_at(found, ref, tools)
    epoch = found.epoch + 1 if found else 1
    claim = Claim(
        service=ref.service,
        epoch=epoch,
        state=ClaimState.HELD,
        holder=ref.execution,
        release=ref.model_copy(update={"epoch": epoch}),
    )
    if tools.ledger.write_claim(claim, over=found):
        return claim
    return _wait("another release was quicker", ref, tools)


def give_up(ref: ReleaseRef, tools: Tools) -> Standing | None:
    """Undo the claim where the release's own execution has ended meanwhile; None where it goes on.

    A stopped execution's handler runs on. The event of its end may have found no claim to repair, so nobody
    would ever free this one; an end after this look finds the claim, and the rollback machine repairs it.
    """
    status = read_status(tools.machines, ref.execution)
    if status == "RUNNING":
        return None
    reason = f"its execution ended as {status} before the release was opened"
    tools.ledger.close_release(ref, Outcome.REJECTED, reason, tools.now(), under=ref)
    tools.record(ref, "OpenRelease", reason, key="ended")
    tools.ledger.free_claim(ref)
    return Standing(status="refused", error="ExecutionEnded", reason=reason)


def _look_at(claim: Claim, ref: ReleaseRef, tools: Tools) -> Standing:
    """Wait for a holder that runs, or whose end a rollback repairs; a rollback that failed has given up."""
    status = read_status(tools.machines, claim.holder)
    repaired = claim.holder == claim.release.execution and not claim.is_of_rollback
    if status in {"RUNNING", "SUCCEEDED"} or repaired:
        return _wait(f"release {claim.release.id} is under way", ref, tools)
    remedy = f"tidegate rollback {claim.service}"
    reason = f"the rollback of {claim.release.id} ended as {status}; repair it: {remedy}"
    return Standing(status="refused", error="NeedsOperator", reason=reason)


def _wait(reason: str, ref: ReleaseRef, tools: Tools) -> Standing:
    """Ask again soon at first, then ever more seldom.

    A round is nine events of the execution's history, which may have 25,000: the 30 days that an execution
    may take are 2,250 rounds (AWS Step Functions Developer Guide, "Service quotas").
    """
    age = (tools.now() - ref.opened_at).total_seconds()
    seconds = min(LONGEST_WAIT, max(SHORTEST_WAIT, round(age * WAIT_SHARE)))
    return Standing(status="waiting", wait_seconds=seconds, reason=reason)
