"""Whether a trigger asks for a rollback: of which release, and is that release to blame?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.diagnose_rollback.blame import Case, find_blame, tell_details
from tidegate.domain.ledger import ClaimState, Outcome
from tidegate.domain.rollouts import is_within_bake
from tidegate.domain.strategies import ALL
from tidegate.domain.triggers import AlarmFired, ExecutionEnded, OperatorAsked, Trigger, Unrelated

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.ledger import Claim
    from tidegate.task import Tools


@dataclass(frozen=True)
class Diagnosis:
    """The claim to take over, with the error's name and the reason; no claim where nothing is to be done.

    `order` is an operator's order to go back to a certain release: the claim is taken for it. `details` reads
    what is told once traffic is restored.
    """

    reason: str
    error: str = ""
    claim: Claim | None = None
    order: ReleaseRef | None = None
    details: Callable[[], str] | None = None


def diagnose(trigger: Trigger, execution: str, tools: Tools) -> Diagnosis:
    """What to do about a trigger."""
    if isinstance(trigger, Unrelated):
        return Diagnosis(reason=trigger.reason)
    claim = tools.ledger.read_claim(trigger.service)
    if claim is None:
        return Diagnosis(reason=f"{trigger.service} has never been released")
    if claim.holder == execution and claim.state is ClaimState.HELD:
        return _go_on(trigger, claim)
    if _is_rolling_back(claim, tools):
        return Diagnosis(reason=f"{claim.holder} is rolling {trigger.service} back already")
    match trigger:
        case ExecutionEnded():
            found = _diagnose_execution(trigger, claim, tools)
        case OperatorAsked():
            found = _diagnose_operator(trigger, claim, execution, tools)
        case AlarmFired():
            found = _diagnose_alarm(trigger, claim, tools)
    return found


def _go_on(trigger: AlarmFired | ExecutionEnded | OperatorAsked, claim: Claim) -> Diagnosis:
    """What this execution decided before it died; whatever it had not told yet is told by the trigger."""
    match trigger:
        case AlarmFired():
            said = f"alarm {trigger.signal} of {trigger.function} in {trigger.stage}: {trigger.reason}"
        case ExecutionEnded():
            said = f"the release's execution ended as {trigger.status}"
        case OperatorAsked():
            said = f"an operator asked: {trigger.reason}"
    order = claim.release if isinstance(trigger, OperatorAsked) and trigger.to else None
    return Diagnosis(reason=f"{said} (gone on with)", error="Retried", claim=claim, order=order)


def _is_rolling_back(claim: Claim, tools: Tools) -> bool:
    if claim.state is not ClaimState.HELD or not claim.is_of_rollback:
        return False
    from tidegate.adapters.executions import read_status

    return read_status(tools.machines, claim.holder) == "RUNNING"


def _diagnose_execution(trigger: ExecutionEnded, claim: Claim, tools: Tools) -> Diagnosis:
    """A release that repaired itself has freed its claim, or has lost it to a rollback.

    One that was closed as promoted and died before it freed its claim is healthy: only the claim is left.
    """
    if claim.holder != trigger.execution or claim.state is not ClaimState.HELD:
        return Diagnosis(reason=f"{trigger.execution} ended as {trigger.status} and holds nothing")
    if not claim.is_of_rollback and tools.ledger.release(claim.release).outcome is Outcome.PROMOTED:
        tools.ledger.free_claim(claim.release)
        return Diagnosis(reason=f"release {claim.release.id} was promoted before: its claim is free now")
    reason = f"the release's execution ended as {trigger.status} without repairing what it changed"
    return Diagnosis(reason=reason, error=f"Execution{trigger.status.title().replace('_', '')}", claim=claim)


def _diagnose_operator(trigger: OperatorAsked, claim: Claim, execution: str, tools: Tools) -> Diagnosis:
    if trigger.to:
        from functions.diagnose_rollback.orders import place_order

        order = place_order(trigger, claim, execution, tools)
        if order.release is None:
            return Diagnosis(reason=order.reason)
        return Diagnosis(reason=order.reason, error="OperatorRequest", claim=claim, order=order.release.ref)
    outcome = tools.ledger.release(claim.release).outcome
    if claim.state is ClaimState.FREE and outcome is not Outcome.PROMOTED:
        further = "; name a release to go back to with --to" if outcome is Outcome.RESTORED else ""
        return Diagnosis(reason=f"release {claim.release.id} is {outcome.value} already{further}")
    return Diagnosis(reason=f"an operator asked: {trigger.reason}", error="OperatorRequest", claim=claim)


def _diagnose_alarm(trigger: AlarmFired, claim: Claim, tools: Tools) -> Diagnosis:
    case = Case(trigger, claim.release, tools)
    release = case.release
    if claim.state is ClaimState.FREE and release.outcome is not Outcome.PROMOTED:
        return Diagnosis(reason=f"release {claim.release.id} is {release.outcome.value} already")
    blame = find_blame(case)
    alarm = f"alarm {trigger.signal} of {trigger.function} in {trigger.stage}"
    if blame.shift is None:
        before = f"{alarm}: {trigger.stage} has had no shift by release {claim.release.id}"
        return _let_go(case, f"{before}: it is the stable version's own and keeps no release from going on")
    if release.closed_at and not is_within_bake(release.closed_at, blame.bake, tools.now()):
        return Diagnosis(reason=f"release {claim.release.id} completed longer ago than its bake window")
    if not blame.guilty:
        return _let_go(case, f"{alarm}: {blame.reason}; no rollback")
    details = (lambda: tell_details(case)) if blame.shift.weight == ALL else None
    return Diagnosis(f"{alarm}: {blame.reason}", error="AlarmFired", claim=claim, details=details)


def _let_go(case: Case, note: str) -> Diagnosis:
    """Say in the ledger why an alarm rolls nothing back, and that it is the stable version's as well."""
    trigger = case.trigger
    key = f"{trigger.function}#{case.tools.now().isoformat()}"
    evidence = {"stable": f"{trigger.function}/{trigger.signal}", "alarm": trigger.reason}
    case.tools.record(case.ref, "DiagnoseRollback", note, stage=trigger.stage, key=key, evidence=evidence)
    return Diagnosis(note)
