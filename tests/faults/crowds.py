"""Two releases, an alarm and an operator at once, in every order that differs; at last one of them is right."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

from tests.faults.acts import CANARY, Ended, configure, traffic
from tests.faults.alarms import fire
from tidegate.cli.rollback import start_rollback
from tidegate.domain.ledger import Outcome

if TYPE_CHECKING:
    from tests.faults.subjects import Subject
    from tidegate.cli.push import Pushed

# One push is like the other.
ORDERS = [
    order for order in itertools.permutations(("first", "second", "alarm", "operator"))
    if order.index("first") < order.index("second")
]  # fmt: skip
GAPS = (0, 0.2, 0.8, 2.0, 5.0)


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
