"""All scenarios, and a run of one: a plan befalls it, then everything must hold, and the next release succeeds.

A scenario is told by its outcomes: `allowed` are those that a run may have, whatever befell one of its calls.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.faults import beginnings, invariants, returns
from tests.faults.acts import AT_ONCE, BAKING, CANARY, LIVE, POLL, Ended, Scenario, configure, release
from tests.faults.alarms import fire
from tests.faults.crowds import drive_crowd
from tests.pipelines.services import RAISES
from tidegate.cli.rollback import start_rollback
from tidegate.domain.ledger import ClaimState, Outcome

if TYPE_CHECKING:
    from tests.faults.plans import Plan
    from tests.faults.proxy import Proxy
    from tests.faults.subjects import Subject

PROVIDED = {"ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 1}}
ANY = frozenset(Outcome) - {Outcome.OPEN, Outcome.NEEDS_OPERATOR}
SAFE = "events/safe.json"


def drive_good(subject: Subject) -> Ended:
    configure(subject, CANARY)
    return release(subject)


def drive_bad(subject: Subject) -> Ended:
    configure(subject, CANARY)
    return release(subject, RAISES)


def drive_probed(subject: Subject) -> Ended:
    """Both versions are asked alike at each look, beside what users send."""
    configure(subject, {**CANARY, "probes": 3})
    subject.config["smoke"] = {"production": {subject.functions[0]: [SAFE]}}
    return release(subject, **{SAFE: "{}"})


def prepare_provided(subject: Subject) -> None:
    subject.properties = PROVIDED
    configure(subject, AT_ONCE)
    subject.release_clean()


def drive_alarm(subject: Subject) -> Ended:
    """All traffic is on the new version, and it bakes; then the alarm fires."""
    configure(subject, BAKING)
    before = subject.live
    stable = subject.alias().function_version
    after = subject.change()
    pushed = subject.start()
    while subject.is_running(pushed) and subject.alias().function_version == stable:
        time.sleep(POLL)
    fire(subject)
    subject.settle()
    return Ended(pushed, before, after)


SCENARIOS = {
    one.name: one
    for one in (
        Scenario("good", drive_good, frozenset({Outcome.PROMOTED})),
        Scenario("bad", drive_bad, frozenset({Outcome.ROLLED_BACK})),
        Scenario("alarm", drive_alarm, frozenset({Outcome.ROLLED_BACK})),
        Scenario(
            "operator", returns.drive_operator, frozenset({Outcome.ROLLED_BACK}), returns.prepare_operator
        ),
        Scenario("back", returns.drive_back, frozenset({Outcome.RESTORED}), returns.prepare_ways),
        Scenario("first", beginnings.drive_first, frozenset({Outcome.PROMOTED}), fresh=True),
        Scenario(
            "adoption",
            beginnings.drive_adoption,
            frozenset({Outcome.PROMOTED}),
            beginnings.prepare_adoption,
            fresh=True,
        ),
        Scenario("probed", drive_probed, frozenset({Outcome.PROMOTED})),
        Scenario("provided", drive_good, frozenset({Outcome.PROMOTED}), prepare_provided),
        Scenario("provided-bad", drive_bad, frozenset({Outcome.ROLLED_BACK}), prepare_provided),
        Scenario("crowd", drive_crowd, ANY, returns.prepare_ways),
    )
}


def run(scenario: Scenario, subject: Subject, proxy: Proxy, plan: Plan) -> Outcome:
    """One run under a plan, what must hold after it, and the next release, which must succeed."""
    subject.reset()
    scenario.prepare(subject)
    plan.stop = subject.stop_execution
    subject.plan = proxy.plans[subject.name] = plan
    try:
        ended = scenario.drive(subject)
    finally:
        del proxy.plans[subject.name]
        subject.plan, subject.is_late, subject.is_closing = None, plan.is_late, plan.is_closing
    if plan.disturbs:
        call_operator(subject)
    outcome = invariants.check(subject, ended.pushed, ended.before, ended.after)
    allowed = scenario.allowed if not plan.disturbs else ANY
    assert outcome in allowed, f"the release ended as {outcome.value}"
    subject.live = ended.after if outcome in LIVE else ended.before
    subject.is_late = subject.is_closing = False
    subject.reset()
    configure(subject, AT_ONCE)
    subject.release_clean()
    return outcome


def call_operator(subject: Subject) -> None:
    """After more than one fault the operator's own way back must be enough."""
    split = subject.weights()
    assert not split, f"split until an operator comes: {split}"
    claim = subject.claim()
    if claim is not None and claim.state is not ClaimState.FREE:
        start_rollback(subject.pipeline, subject.name, "the harness")
        subject.settle()
