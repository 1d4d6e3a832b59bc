"""ProvisionStage: check what is deployed, hold what roles lose, execute the change set, arm the alarms."""

from __future__ import annotations

from functions.provision_stage.admission import admit
from functions.provision_stage.guards import arm
from functions.provision_stage.holds import hold
from functions.provision_stage.images import bring_images
from functions.provision_stage.stack import apply
from tidegate.adapters.plans import read_plan
from tidegate.domain.errors import AlarmsPending, HoldsPending, ImagesPending, StackPending
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.task import Tools, task


class Request(Frozen):
    """The release and the stage."""

    release: ReleaseRef
    stage: str


class Response(Frozen):
    """How many resources changed."""

    changes: int


def handle(request: Request, tools: Tools) -> Response:
    """Bring the stack to the plan and guard the aliases that will shift.

    ImagesPending leaves until the stage has the images; HoldsPending, StackPending and AlarmsPending until
    CloudFormation has ended, one after the other.
    """
    release, stage = request.release, request.stage
    tools.ledger.check_epoch(release)
    plan = read_plan(tools.documents, release).stage(stage)
    admit(release, stage, tools)
    if not bring_images(release, plan, tools):
        raise ImagesPending(f"images are still to be copied to {stage}")
    if not hold(release, plan, tools):
        raise HoldsPending(f"CloudFormation puts up what is held in {stage}, or takes away what was")
    if (plan.change_set or plan.exact) and not apply(release, plan, tools):
        raise StackPending(f"CloudFormation works on {plan.stack_name}")
    if plan.canaried and not arm(release, plan, tools):
        raise AlarmsPending(f"CloudFormation puts up the alarms of {stage}")
    how = "as planned, and was adopted first" if plan.updates else "as planned"
    what = f"stack {plan.stack_name} is {how if plan.change_set else 'unchanged'}"
    tools.record(
        release,
        "ProvisionStage",
        what,
        stage=stage,
        evidence={"changes": len(plan.changes), "held": list(plan.held)},
    )
    return Response(changes=len(plan.changes))


handler = task(Request, handle)
