"""EnterStage: record that a stage begins, and find out whether a person must agree first."""

from __future__ import annotations

from tidegate.adapters.plans import read_plan
from tidegate.domain.config import Approval
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.task import Tools, task


class Request(Frozen):
    """The release and the stage that it enters."""

    release: ReleaseRef
    stage: str


class Response(Frozen):
    """`approval_timeout` in seconds, as long as people need whatever the pace."""

    approval: bool
    approval_timeout: int


def handle(request: Request, tools: Tools) -> Response:
    """Enter the stage, as long as the release holds its claim."""
    tools.ledger.check_epoch(request.release)
    plan = read_plan(tools.documents, request.release).stage(request.stage)
    what = f"entered {request.stage}: {plan.strategy}"
    evidence = {"account": plan.account, "region": plan.region, "stack": plan.stack_name}
    tools.record(request.release, "EnterStage", what, stage=request.stage, evidence=evidence)
    message = f"{request.release.service}: release {request.release.id} {what}"
    tools.bus.publish("Stage Entered", request.release, message, stage=request.stage)
    return Response(
        approval=plan.config.approval is Approval.REQUIRED,
        approval_timeout=max(1, plan.config.approval_timeout),
    )


handler = task(Request, handle)
