"""What the stable version kept during the rollout is taken away, now that no traffic needs it.

A release whose new version is healthy must not fail here: what cannot be taken away stays, is named in the
ledger, and goes with the next release.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from tidegate.adapters.changes import Change, drive
from tidegate.adapters.documents import exact_mark, stage_prefix
from tidegate.adapters.side_stacks import Removal
from tidegate.adapters.stored_templates import bring_template
from tidegate.domain.errors import ArtifactAltered, ChangeSetFailed, HoldsPending, StackNeedsOperator
from tidegate.domain.holds import Looks

if TYPE_CHECKING:
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.plans import StackUpdate, StagePlan
    from tidegate.task import Tools

MOST_LOOKS: Final = 50  # about 40 minutes; the state machine has a few attempts more


def let_go(ref: ReleaseRef, plan: StagePlan, tools: Tools) -> None:
    """Take away what is held, and record it; HoldsPending leaves while it is going."""
    if not plan.held:
        return
    left = _take_away(ref, plan, tools)
    what = f"what was held is not taken away: {left}" if left else "what was held is taken away"
    tools.record(ref, "LeaveStage", what, stage=plan.stage, key="hold", evidence={"held": list(plan.held)})


def _take_away(ref: ReleaseRef, plan: StagePlan, tools: Tools) -> str:
    """Gives what is left and why, "" for nothing. Rights first: a role with one of them cannot be deleted."""
    tools.ledger.check_epoch(ref)  # what stands may be a later release's
    removal = tools.side_stacks(ref, plan.stage).take_holds() if plan.held_roles else Removal(ended=True)
    if removal.ended:
        try:
            ended = plan.exact is None or _apply_exact(ref, plan, plan.exact, tools)
        except (ArtifactAltered, ChangeSetFailed, StackNeedsOperator) as error:
            return "; ".join(filter(None, (removal.left, str(error))))
        if ended:
            return removal.left
    _look(ref, plan, tools)
    return f"CloudFormation still takes away what was held, after {MOST_LOOKS} looks"


def _apply_exact(ref: ReleaseRef, plan: StagePlan, update: StackUpdate, tools: Tools) -> bool:
    """One step towards the commit's own template, without what was kept in it; True once it is so."""
    stage = tools.stage(plan.stage)
    change = Change(
        stack=plan.stack_name,
        name=update.change_set,
        purpose="the removal of what was held",
        template_url=stage.documents.url(update.template),
        parameters=update.parameters,
        capabilities=update.capabilities,
        role=stage.target.cloudformation_role,
        mark=exact_mark(ref, plan.stage),
    )
    bring = partial(bring_template, tools.documents, stage.documents, update.template)
    return drive(stage.cloudformation, tools.documents, change, bring)


def _look(ref: ReleaseRef, plan: StagePlan, tools: Tools) -> None:
    """Ask for another look, unless there were enough."""
    key = f"{stage_prefix(ref, plan.stage)}leaving.json"
    looks = tools.documents.find(key, Looks) or Looks()
    if looks.count < MOST_LOOKS:
        tools.documents.write(key, looks.model_copy(update={"count": looks.count + 1}))
        raise HoldsPending(f"CloudFormation takes away what was held in {plan.stage}")
