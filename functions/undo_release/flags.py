"""Feature flags on the way back: what the release deployed with AppConfig is reverted before its stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from tidegate.adapters.documents import stage_prefix
from tidegate.adapters.flags import list_since, revert
from tidegate.adapters.plans import find_plan
from tidegate.domain.flags import TAKEN_BACK, decide
from tidegate.domain.healthy import Healthy

if TYPE_CHECKING:
    from tidegate.domain.flags import Decision, FlagEnvironment
    from tidegate.domain.healthy import GoingBack
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.plans import StagePlan
    from tidegate.task import Tools

BACK: Final = "is taken back: its readers have again what was deployed before it"


class Fence(NamedTuple):
    """What ends it: the stack's way back has begun, as `mark` says, or `under` has lost the claim."""

    mark: str
    under: ReleaseRef


def undo_flags(ref: ReleaseRef, plan: StagePlan, tools: Tools, under: ReleaseRef) -> None:
    """What the release's stack has deployed so far, in this stage; a deployment that goes on is ended.

    `under` is who holds the claim. While CloudFormation is still at the release's update, more may come: this
    is done at every look.
    """
    fence = Fence(f"{stage_prefix(ref, plan.stage)}undo.json", under)
    for place in plan.flags:
        _revert_since(ref, plan, place, fence, tools)


def return_flags(ref: ReleaseRef, stage: str, going: GoingBack, tools: Tools, mark: str) -> None:
    """What the release that an order leaves has deployed, where the one before it is gone back to.

    Further back there is more than one deployment between, and older ones; the stack's way back deploys.
    """
    over = going.over
    plan = None if over is None or going.unfinished else find_plan(tools.documents, over)
    left = tools.documents.find(f"{stage_prefix(over, stage)}healthy.json", Healthy) if over else None
    if plan is None or left is None or left.previous != going.healthy[stage]:
        return
    of_stage = plan.stage(stage)
    for place in of_stage.flags:
        _revert_since(ref, of_stage, place, Fence(mark, ref), tools)


def _revert_since(
    ref: ReleaseRef, plan: StagePlan, place: FlagEnvironment, fence: Fence, tools: Tools
) -> None:
    """Revert what is the stack's own, as long as the fence stands.

    The way back deploys, too, and so does the next release. The fence is looked at after the environment:
    what was seen there then is of neither's making.
    """
    stage = tools.stage(plan.stage)
    found = list_since(stage.flags, place, stage.target)
    decisions = tuple(decide(found, place.stacks))
    if not decisions or tools.documents.exists(fence.mark):
        return
    tools.ledger.check_epoch(fence.under)
    for decision in decisions:
        what = _act(decision, place, plan, tools)
        number = f"{place.environment}#{decision.deployment.number}"
        tools.record(
            ref,
            "UndoRelease",
            f"{decision.deployment.title} {what}",
            stage=plan.stage,
            key=f"{ref.epoch}#flags#{number}",
            evidence={"application": place.application, "environment": place.environment},
        )


def _act(decision: Decision, place: FlagEnvironment, plan: StagePlan, tools: Tools) -> str:
    if decision.keeps:
        return f"stays as it is: {decision.keeps}"
    if decision.deployment.state in TAKEN_BACK:
        return BACK
    refused = revert(tools.stage(plan.stage).flags, place, decision.deployment.number)
    return (
        f"is left to the stack's way back, since AppConfig does not revert it: {refused}" if refused else BACK
    )
