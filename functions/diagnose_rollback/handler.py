"""DiagnoseRollback: find the release that a trigger speaks of, and whether taking it back would help."""

from __future__ import annotations

from typing import Any, Literal

from functions.diagnose_rollback.diagnosis import diagnose
from functions.diagnose_rollback.takeover import take_over
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.domain.ledger import Failure
from tidegate.domain.triggers import read_trigger
from tidegate.task import LOGGER, Tools, task


class Request(Frozen):
    """The event that started the rollback machine, and the machine's execution."""

    event: dict[str, Any]
    execution: str


class Response(Frozen):
    """`release` carries the raised epoch, and `failure` the reason, where the action is to restore."""

    action: Literal["restore", "ignore"]
    reason: str
    release: ReleaseRef | None = None
    failure: Failure | None = None


def handle(request: Request, tools: Tools) -> Response:
    """Diagnose first: raising the epoch stops the release, and a healthy one must not be stopped."""
    diagnosis = diagnose(read_trigger(request.event), request.execution, tools)
    if diagnosis.claim is None:
        LOGGER.info("no rollback", extra={"reason": diagnosis.reason})
        return Response(action="ignore", reason=diagnosis.reason)
    claim = take_over(diagnosis.claim, request.execution, tools)
    failure = Failure(state="DiagnoseRollback", error=diagnosis.error, cause=diagnosis.reason)
    what = f"taking release {claim.release.id} back: {diagnosis.reason}"
    event = request.event.get("id", "")
    evidence = {"event": event, "epoch": claim.epoch, "execution": request.execution}
    tools.record(claim.release, "DiagnoseRollback", what, key=f"{claim.epoch}", evidence=evidence)
    return Response(action="restore", reason=diagnosis.reason, release=claim.release, failure=failure)


handler = task(Request, handle)
