"""LeaveStage: disarm the stage's alarms, let go of what was held, and record what it runs as healthy."""

from __future__ import annotations

from functions.leave_stage.health import describe_health
from functions.leave_stage.holds import let_go
from functions.leave_stage.provisioning import retire_versions
from tidegate.adapters.healthy import write_healthy
from tidegate.adapters.plans import find_rollout, read_plan
from tidegate.adapters.stacks import delete_guards
from tidegate.adapters.telemetry import disarm
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.domain.rollouts import Rollout
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
    plan = read_plan(tools.documents, release).stage(stage)
    rollout = find_rollout(tools.documents, release, stage) or Rollout(stage=stage, functions=())
    tools_of_stage = tools.stage(stage)
    delete_guards(
        tools_of_stage.cloudformation,
        release.service,
        stage,
        len(plan.canaried),
        tools_of_stage.target.cloudformation_role,
    )
    disarm(tools_of_stage, release)
    let_go(release, plan, tools)
    healthy = describe_health(release, plan, tools)
    write_healthy(tools.ledger, tools.documents, release, healthy)
    retire_versions(release, plan, rollout, tools)
    what = f"left {stage}: {len(rollout.functions)} new versions are stable"
    tools.record(release, "LeaveStage", what, stage=stage, evidence={"versions": healthy.versions})
    return Response(shifted=len(rollout.functions))


handler = task(Request, handle)
