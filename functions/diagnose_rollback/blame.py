"""Is it the new version, a change of configuration, or something that hurts both versions?

The rule, for an alarm that fires after the stage's first shift:

- Throttles are the function's, not a version's: below 100 % they hold the judge and roll nothing back.
- Below 100 % both versions serve in the same minutes and are compared. The new one is worse, or alone in
  failing, or nothing can be read although the alarm fired: roll back. The stable one fails as well, and no
  less: a downstream, unless this release changed what takes effect at once and the stable version was well
  before. The stable one fails alone: it is no matter of the release, and the fix goes on.
- At 100 % there is nobody to compare with, and going back is the safe side: traffic is restored first and the
  numbers are told afterwards. But where the stable version has raised this same alarm in this release, its
  own history is asked first: going back to what was no better would undo the fix.

The alarm after a promotion is what users wait for: what only the other ways need is imported there.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from tidegate.adapters.plans import find_glance, find_rollout
from tidegate.domain.identity import Frozen
from tidegate.domain.nesting import shorten
from tidegate.domain.rollouts import Shift
from tidegate.domain.strategies import ALL

if TYPE_CHECKING:
    from tidegate.domain.blame import Pair
    from tidegate.domain.glances import StageGlance
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.ledger import Entry, Release
    from tidegate.domain.rollouts import RollingFunction
    from tidegate.domain.triggers import AlarmFired
    from tidegate.task import Tools

HISTORY: Final = timedelta(hours=1)
# What a change set names besides the functions themselves and what only leads to them.
HARMLESS: Final = (
    "AWS::ApiGateway::Deployment",
    "AWS::Lambda::Alias",
    "AWS::Lambda::Function",
    "AWS::Lambda::LayerVersion",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Version",
)


class Blame(Frozen):
    """`shift` is the stage's last one, None where there was none; `bake` in seconds as they run here."""

    shift: Shift | None
    bake: float = 0
    guilty: bool = False
    reason: str = ""


class Case:
    """An alarm, and what the ledger and the documents of the release know about it, read side by side."""

    def __init__(self, trigger: AlarmFired, ref: ReleaseRef, tools: Tools) -> None:
        self.trigger, self.ref, self.tools = trigger, ref, tools
        documents, ledger = tools.documents, tools.ledger
        with ThreadPoolExecutor(2) as pool:
            glance, record = pool.submit(find_glance, documents, ref), pool.submit(ledger.release, ref)
            entries = ledger.entries(ref.service, ref.id)
        self.release: Release = record.result()
        self.entries: list[Entry] = [entry for entry in entries if entry.stage == trigger.stage]
        self.shifts = [entry for entry in self.entries if entry.step == "ShiftTraffic"]
        plan = glance.result() if self.shifts else None
        self.plan: StageGlance | None = plan.find(trigger.stage) if plan else None

    @property
    def is_early(self) -> bool:
        """Whether the alarm was raised before the stage's first shift: by the stable version alone."""
        return bool(self.shifts) and self.trigger.at is not None and self.trigger.at < self.shifts[0].at

    @property
    def shift(self) -> Shift:
        """The last shift that was decided on."""
        last = self.shifts[-1]
        return Shift(
            step=len(self.shifts) - 1, weight=last.evidence["weight"], began=last.at, at=last.at, made=True
        )

    @property
    def was_stable(self) -> bool:
        """Whether this alarm has been found to be the stable version's, earlier in this release."""
        alarm = f"{self.trigger.function}/{self.trigger.signal}"
        return any(e.step == "DiagnoseRollback" and e.evidence.get("stable") == alarm for e in self.entries)

    def find_function(self) -> RollingFunction | None:
        """The alarm's function, if it shifts in this release."""
        rollout = find_rollout(self.tools.documents, self.ref, self.trigger.stage)
        moving = rollout.functions if rollout else ()
        return next((f for f in moving if shorten(f.logical_id) == self.trigger.function), None)

    def read_history(self, function: RollingFunction) -> Pair:
        """Both versions: the new one since the last shift, the stable one in the hour before the release."""
        from functions.diagnose_rollback.numbers import count

        now, first = self.tools.now(), self.shifts[0].at
        before = count(self, function, first - HISTORY * self.tools.settings.pace, first)
        return before.model_copy(update={"canary": count(self, function, self.shift.at, now).canary})


def find_blame(case: Case) -> Blame:
    """Who is to blame for an alarm, as far as it must be known before traffic is restored."""
    plan, trigger = case.plan, case.trigger
    if plan is None:
        return Blame(shift=None)
    bake = (plan.config.bake or 0) * case.tools.settings.pace
    found = Blame(shift=case.shift, bake=bake)
    if case.is_early:
        reason = "it was raised before the first shift, by the stable version alone"
        return found.model_copy(update={"reason": reason})
    if case.shift.weight < ALL:
        guilty, reason = _compare(case, plan)
        return found.model_copy(update={"guilty": guilty, "reason": reason})
    from tidegate.domain.blame import Suspicion, weigh_history

    function = case.find_function() if case.was_stable else None
    if function is None or trigger.signal != "errors":
        return found.model_copy(update={"guilty": True, "reason": f"after the promotion: {trigger.reason}"})
    suspicion, reason = weigh_history(case.read_history(function), plan.config.alarms.error_rate)
    return found.model_copy(update={"guilty": suspicion is not Suspicion.BOTH, "reason": reason})


def tell_details(case: Case) -> str:
    """What is known once traffic is restored: the numbers of both versions, and what the release changed."""
    function = case.find_function()
    if function is None or case.plan is None:
        return ""
    planned = next((f for f in case.plan.functions if f.logical_id == function.logical_id), None)
    same = planned is not None and planned.artifact == planned.previous_artifact
    from functions.diagnose_rollback.numbers import describe

    what = "its configuration alone" if same else "its code"
    return f"{describe(case.read_history(function))}; the release changed {what}{_list_changes(case.plan)}"


def _compare(case: Case, plan: StageGlance) -> tuple[bool, str]:
    """Whether to roll back below 100 %, and why."""
    from functions.diagnose_rollback.numbers import count, measure_tail
    from tidegate.domain.blame import Suspicion, weigh, weigh_tail

    if case.trigger.signal == "throttles":
        return False, "throttles are shared by both versions"
    function = case.find_function()
    if function is None:
        return False, "the function does not shift in this release"
    if case.trigger.signal == "duration":
        limit = (plan.config.alarms.p99 or 0) * 1000
        suspicion, reason = weigh_tail(measure_tail(case, function), limit)
    else:
        now = case.tools.now()
        suspicion, reason = weigh(count(case, function, case.shift.at, now))
    changes = _list_changes(plan)
    if suspicion is Suspicion.BOTH and changes and _was_well(case, function, plan):
        return True, f"{reason}; the stable version was well before, and the release changed{changes}"
    return suspicion is Suspicion.NEW, reason


def _was_well(case: Case, function: RollingFunction, plan: StageGlance) -> bool:
    """Whether the stable version failed less than the alarm forbids in the hour before the stack changed."""
    from functions.diagnose_rollback.numbers import count

    begun = next((entry.at for entry in case.entries if entry.step == "EnterStage"), case.shifts[0].at)
    before = count(case, function, begun - HISTORY * case.tools.settings.pace, begun).stable
    return before.requests > 0 and before.failed * 100 < plan.config.alarms.error_rate * before.requests


def _list_changes(plan: StageGlance) -> str:
    """What took effect at once, in words; empty where nothing did."""
    found = [f"{change.logical_id} ({change.type})" for change in plan.changes if change.type not in HARMLESS]
    return f" and at once {', '.join(found[:5])}" if found else ""
