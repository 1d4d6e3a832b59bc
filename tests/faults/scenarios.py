"""What a run does: a release that ends well, one that the judge rolls back, one that an alarm rolls back.

A scenario is told by its outcomes: `allowed` are those that a run may have, whatever befell one of its calls.
"""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.faults import invariants
from tests.pipelines.services import RAISES
from tidegate.cli.rollback import start_rollback
from tidegate.domain.guards import alarm_name
from tidegate.domain.ledger import ClaimState, Outcome
from tidegate.domain.triggers import ALARM
from tidegate.local.cloud import ACCOUNT_ID, REGION
from tidegate.local.events import emit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.plans import Plan
    from tests.faults.proxy import Proxy
    from tests.faults.subjects import Subject
    from tidegate.cli.push import Pushed

# How fast threads of a busy machine answer says nothing of a version.
CALM: dict[str, Any] = {"signals": {"latency": "observe", "timeouts": "observe"}, "minimum_invocations": 5}
CANARY = {**CALM, "strategy": "Canary50Percent1Minute", "bake": "0s"}
AT_ONCE = {**CALM, "strategy": "AllAtOnce", "bake": "0s"}
BAKING = {**CALM, "strategy": "AllAtOnce", "bake": "10m"}
POLL = 0.05


@contextmanager
def traffic(subject: Subject) -> Iterator[None]:
    stop = threading.Event()
    sender = threading.Thread(target=subject.send_traffic, args=(stop,), daemon=True)
    sender.start()
    try:
        yield
    finally:
        stop.set()
        sender.join()


@dataclass
class Ended:
    """A run that has ended: its release, and what production may answer."""

    pushed: Pushed
    before: str
    after: str


@dataclass(frozen=True)
class Scenario:
    """`prepare` happens before the plan is armed, `drive` under it."""

    name: str
    drive: Callable[[Subject], Ended]
    allowed: frozenset[Outcome]
    prepare: Callable[[Subject], None] = lambda _: None


def configure(subject: Subject, production: dict[str, Any]) -> None:
    subject.config["stages"]["production"] = dict(production)


def release(subject: Subject, body: str = "pass") -> Ended:
    before = subject.live
    after = subject.change(body)
    with traffic(subject):
        pushed = subject.start()
        subject.settle()
    return Ended(pushed, before, after)


def drive_good(subject: Subject) -> Ended:
    configure(subject, CANARY)
    return release(subject)


def drive_bad(subject: Subject) -> Ended:
    configure(subject, CANARY)
    return release(subject, RAISES)


def fire(subject: Subject) -> None:
    """The event of production's error alarm, as CloudWatch words it."""
    name = alarm_name(subject.name, "production", subject.functions[0], "errors")
    at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "+0000"
    state = {"value": "ALARM", "reason": "Threshold Crossed", "timestamp": at}
    emit(
        source="aws.cloudwatch",
        detail_type=ALARM,
        detail={"alarmName": name, "state": state, "previousState": {"value": "OK"}},
        resources=[f"arn:aws:cloudwatch:{REGION}:{ACCOUNT_ID}:alarm:{name}"],
        account=ACCOUNT_ID,
        region=REGION,
    )


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


def prepare_operator(subject: Subject) -> None:
    subject.earlier = subject.live
    configure(subject, AT_ONCE)
    subject.release_clean()


def drive_operator(subject: Subject) -> Ended:
    """A release that has completed, and an operator who wants it back."""
    start_rollback(subject.pipeline, subject.name, "the harness")
    subject.settle()
    after, subject.live = subject.live, subject.earlier
    return Ended(subject.last, subject.earlier, after)


def drive_crowd(subject: Subject) -> Ended:
    """Two releases, an alarm and an operator's rollback at once, in the order that the plan's k stands for."""
    configure(subject, CANARY)
    plan = subject.plan
    assert plan is not None
    subject.answers = {"": subject.live}
    before = subject.live
    pushed: list[Pushed] = []

    def push() -> None:
        answer = subject.change()
        pushed.append(subject.push())
        subject.answers[pushed[-1].release_id] = answer

    def ask_back() -> None:
        start_rollback(subject.pipeline, subject.name, "the harness")

    actors = {"first": push, "second": push, "alarm": lambda: fire(subject), "operator": ask_back}
    with traffic(subject):
        for name in ORDERS[plan.k % len(ORDERS)]:
            actors[name]()
            time.sleep(plan.chance.choice(GAPS))
        subject.settle()
    promoted = [
        one.ref.id
        for one in subject.pipeline.ledger.releases(subject.name)
        if one.outcome is Outcome.PROMOTED
    ]
    live = next((one for one in promoted if one in subject.answers), "")
    last = next((one for one in pushed if one.release_id == live), pushed[-1])
    return Ended(last, before, subject.answers[live] if live else before)


# One push is like the other.
ORDERS = [
    order for order in itertools.permutations(("first", "second", "alarm", "operator"))
    if order.index("first") < order.index("second")
]  # fmt: skip
GAPS = (0, 0.2, 0.8, 2.0, 5.0)

SCENARIOS = {
    one.name: one
    for one in (
        Scenario("good", drive_good, frozenset({Outcome.PROMOTED})),
        Scenario("bad", drive_bad, frozenset({Outcome.ROLLED_BACK})),
        Scenario("alarm", drive_alarm, frozenset({Outcome.ROLLED_BACK})),
        Scenario("operator", drive_operator, frozenset({Outcome.ROLLED_BACK}), prepare_operator),
        Scenario("crowd", drive_crowd, frozenset(Outcome) - {Outcome.OPEN, Outcome.NEEDS_OPERATOR}),
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
        subject.plan = None
    if plan.disturbs:
        call_operator(subject)
    outcome = invariants.check(subject, ended.pushed, ended.before, ended.after)
    allowed = scenario.allowed if not plan.disturbs else SCENARIOS["crowd"].allowed
    assert outcome in allowed, f"the release ended as {outcome.value}"
    if outcome is Outcome.PROMOTED:
        subject.live = ended.after
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
