"""LeaveStage: disarm the stage's alarms, let go of what was held, and record what it runs as healthy."""

from __future__ import annotations

from functions.leave_stage.health import describe_health
from functions.leave_stage.holds import let_go
from functions.leave_stage.provisioning import retire_versions
from functions.leave_stage.tidying import Tidying, describe
from tidegate.adapters.healthy import write_healthy
from tidegate.adapters.plans import find_rollout, read_plan
from tidegate.adapters.stacks import delete_guards
from tidegate.adapters.telemetry import disarm
from tidegate.domain.errors import HoldsPending
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.domain.rollouts import Rollout
from tidegate.task import StageTools, Tools, task


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
    clients, tidying = tools.stage(stage), Tidying(release, stage, tools)
    role, count = clients.target.cloudformation_role, len(plan.canaried)
    tidying.try_to(
        "its alarms",
        lambda: delete_guards(clients.cloudformation, release.service, stage, count, role),
    )
    tidying.try_to("its telemetry", lambda: _disarm(release, clients))
    let_go(release, plan, tools)
    healthy = describe_health(release, plan, tools)
    write_healthy(tools.ledger, tools.documents, release, healthy)
    tidying.try_to(
        "the old versions' provisioned concurrency", lambda: retire_versions(release, plan, rollout, tools)
    )
    left = tidying.end()
    what = f"left {stage}: {len(rollout.functions)} new versions are stable"
    if left:
        what += f"; left behind: {describe(left)}; the janitor tries again: tidegate prune {release.service}"
    evidence = {"versions": healthy.versions, "left": left}
    tools.record(release, "LeaveStage", what, stage=stage, evidence=evidence)
    return Response(shifted=len(rollout.functions))


def _disarm(release: ReleaseRef, clients: StageTools) -> None:
    if not disarm(clients, release):
        raise HoldsPending(f"the telemetry of {clients.target.name} is being taken away")


handler = task(Request, handle)
