"""LeaveStage: record what the stage runs now as healthy, and disarm its alarms."""

from __future__ import annotations

from tidegate.adapters.plans import (
    find_healthy,
    find_rollout,
    healthy_key,
    read_plan,
    read_snapshot,
    write_healthy,
)
from tidegate.adapters.stacks import delete_guards
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.domain.rollouts import Healthy, Rollout
from tidegate.task import Tools, task


class Request(Frozen):
    """The release and the stage."""

    release: ReleaseRef
    stage: str


class Response(Frozen):
    """How many functions shifted in the stage."""

    shifted: int


def handle(request: Request, tools: Tools) -> Response:
    """Leave the stage with the new versions as its stable ones."""
    release, stage = request.release, request.stage
    tools.ledger.check_epoch(release)
    documents, snapshot = tools.documents, read_snapshot(tools.documents, release)
    rollout = find_rollout(documents, release, stage) or Rollout(stage=stage, functions=())
    before = find_healthy(tools.ledger, documents, release.service, stage)
    pointer = tools.ledger.document(release.service, healthy_key(stage))
    again = before is not None and before.release_id == release.id
    healthy = Healthy(
        stage=stage,
        previous=before.previous if before is not None and again else pointer,
        release_id=release.id,
        artifacts={function.logical_id: function.artifact for function in snapshot.functions},
        versions={
            **(before.versions if before else {}),
            **{f.logical_id: f.canary for f in rollout.functions},
        },
    )
    write_healthy(tools.ledger, documents, release, healthy)
    plan = read_plan(documents, release).stage(stage)
    tools_of_stage = tools.stage(stage)
    delete_guards(
        tools_of_stage.cloudformation,
        release.service,
        stage,
        len(plan.canaried),
        tools_of_stage.target.cloudformation_role,
    )
    what = f"left {stage}: {len(rollout.functions)} new versions are stable"
    tools.record(release, "LeaveStage", what, stage=stage, evidence={"versions": healthy.versions})
    return Response(shifted=len(rollout.functions))


handler = task(Request, handle)
