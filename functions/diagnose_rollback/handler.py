"""DiagnoseRollback: find the release that a trigger speaks of, and take it back at once if that helps."""

from __future__ import annotations

from typing import Any, Literal

from functions.diagnose_rollback.diagnosis import diagnose
from functions.diagnose_rollback.restoring import entering, restore_traffic
from functions.diagnose_rollback.takeover import take_over
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.domain.ledger import Failure
from tidegate.domain.recovery import describe_restore
from tidegate.domain.triggers import read_trigger
from tidegate.task import Tools, logger, task


class Request(Frozen):
    """The event that started the rollback machine, and the machine's execution."""

    event: dict[str, Any]
    execution: str


class Response(Frozen):
    """`restored` where the traffic is back already, `restore` where that has to be tried again.

    `release` carries the raised epoch, and `failure` the reason.
    """

    action: Literal["restored", "restore", "ignore"]
    reason: str
    release: ReleaseRef | None = None
    failure: Failure | None = None


def handle(request: Request, tools: Tools) -> Response:
    """Diagnose first: raising the epoch stops the release, and a healthy one must not be stopped.

    Then the traffic, in the same invocation; only then is it told.
    """
    with entering(tools) as entered:
        diagnosis = diagnose(read_trigger(request.event), request.execution, tools)
        if diagnosis.claim is None:
            logger().info("no rollback", extra={"reason": diagnosis.reason})
            return Response(action="ignore", reason=diagnosis.reason)
        claim = take_over(diagnosis.claim, request.execution, tools, diagnosis.order)
        rollouts = restore_traffic(claim.release, entered, tools)
    failure = Failure(state="DiagnoseRollback", error=diagnosis.error, cause=diagnosis.reason)
    verb = "" if diagnosis.order else f"taking release {claim.release.id} back: "
    event = request.event.get("id", "")
    evidence = {"event": event, "epoch": claim.epoch, "execution": request.execution}
    what = f"{verb}{diagnosis.reason}"
    tools.record(claim.release, "DiagnoseRollback", what, key=f"{claim.epoch}", evidence=evidence)
    action: Literal["restored", "restore"] = "restore"
    if rollouts is not None:
        what, evidence = describe_restore(rollouts, failure)
        tools.record(claim.release, "RestoreTraffic", what, key=f"{claim.epoch}", evidence=evidence)
        action = "restored"
    if diagnosis.details is not None and (details := diagnosis.details()):
        tools.record(claim.release, "DiagnoseRollback", details, key=f"{claim.epoch}#details")
    return Response(action=action, reason=diagnosis.reason, release=claim.release, failure=failure)


handler = task(Request, handle)
