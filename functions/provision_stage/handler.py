"""ProvisionStage: check what is deployed, hold what roles lose, execute the change set, arm the alarms."""

from __future__ import annotations

from typing import Literal

from functions.provision_stage.admission import admit
from functions.provision_stage.guards import arm
from functions.provision_stage.holds import hold
from functions.provision_stage.stack import apply
from tidegate.adapters.plans import read_plan
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.task import Tools, task

LOOK_SECONDS = 10


class Request(Frozen):
    """The release and the stage."""

    release: ReleaseRef
    stage: str


class Response(Frozen):
    """`provisioning` until CloudFormation has ended; then `provisioned`."""

    status: Literal["provisioning", "provisioned"]
    wait_seconds: int


def handle(request: Request, tools: Tools) -> Response:
    """Bring the stack to the plan and guard the aliases that will shift."""
    release, stage = request.release, request.stage
    tools.ledger.check_epoch(release)
    plan = read_plan(tools.documents, release).stage(stage)
    admit(release, stage, tools)
    if not hold(release, plan, tools):
        return Response(status="provisioning", wait_seconds=LOOK_SECONDS)
    if (plan.change_set or plan.exact) and not apply(release, plan, tools):
        return Response(status="provisioning", wait_seconds=LOOK_SECONDS)
    if plan.canaried and not arm(release, plan, tools):
        return Response(status="provisioning", wait_seconds=LOOK_SECONDS)
    how = "as planned, and was adopted first" if plan.updates else "as planned"
    what = f"stack {plan.stack_name} is {how if plan.change_set else 'unchanged'}"
    tools.record(
        release,
        "ProvisionStage",
        what,
        stage=stage,
        evidence={"changes": len(plan.changes), "held": list(plan.held)},
    )
    return Response(status="provisioned", wait_seconds=LOOK_SECONDS)


handler = task(Request, handle)
