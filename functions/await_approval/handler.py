"""AwaitApproval: store the task token that the answer needs, and ask for it."""

from __future__ import annotations

from tidegate.domain.approvals import ApprovalRequest, approval_key
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.task import Tools, task


class Request(Frozen):
    """`token` is the state machine's, for SendTaskSuccess or SendTaskFailure."""

    release: ReleaseRef
    stage: str
    token: str


class Response(Frozen):
    """Nothing: the state goes on with what the answer brings."""


def handle(request: Request, tools: Tools) -> Response:
    """Ask; a retry asks again with its own token, which replaces the one that is void."""
    release, stage = request.release, request.stage
    asked = ApprovalRequest(stage=stage, release_id=release.id, token=request.token, asked_at=tools.now())
    key = approval_key(release.id, stage)
    tools.ledger.put_document(release.service, key, asked.model_dump_json())
    what = f"waiting for approval of {stage}"
    tools.record(release, "AwaitApproval", what, stage=stage)
    how = f"tidegate approve {release.service} {release.id}"
    message = f"{release.service}: release {release.id} is {what}; {how}"
    tools.bus.publish("Approval Requested", release, message, stage=stage)
    return Response()


handler = task(Request, handle)
