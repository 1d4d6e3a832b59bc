"""Two releases, an alarm and an operator at once, in every order that differs; at last one of them is right."""

from __future__ import annotations

import itertools
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests.faults.acts import CANARY, LIVE, Ended, configure, traffic
from tests.faults.alarms import fire
from tests.faults.returns import find_goal
from tidegate.cli.push import Pushed
from tidegate.cli.rollback import start_rollback

if TYPE_CHECKING:
    from tests.faults.subjects import Subject

# One push is like the other.
ORDERS = [
    order for order in itertools.permutations(("first", "second", "alarm", "operator"))
    if order.index("first") < order.index("second")
]  # fmt: skip
BEGINNING = datetime.min.replace(tzinfo=UTC)
GAPS = (0, 0.2, 0.8, 2.0, 5.0)


def drive_crowd(subject: Subject) -> Ended:
    """Two releases, an alarm and an operator at once, in the order that the plan's k stands for.

    The operator takes back what is live, or goes back to the release before.
    """
    configure(subject, CANARY)
    plan = subject.plan
    assert plan is not None
    pushed: list[Pushed] = []
    known = {one.ref.id for one in subject.pipeline.ledger.releases(subject.name)}
    turn, order = divmod(plan.k, len(ORDERS))
    goal = find_goal(subject, 1) if turn % 2 else None

    def push() -> None:
        subject.change()
        pushed.append(subject.push())

    def ask_back() -> None:
        start_rollback(subject.pipeline, subject.name, "the harness", goal.release.ref.id if goal else "")

    actors = {"first": push, "second": push, "alarm": lambda: fire(subject), "operator": ask_back}
    with traffic(subject):
        for name in ORDERS[order]:
            actors[name]()
            time.sleep(plan.chance.choice(GAPS))
        subject.settle()
    return find_end(subject, pushed[-1], known)


def find_end(subject: Subject, last: Pushed, known: set[str]) -> Ended:
    """What must be live by the ledger: what was promoted or restored last, be it of before."""
    releases = list(subject.pipeline.ledger.releases(subject.name))
    live = max((one for one in releases if one.outcome in LIVE), key=lambda one: one.closed_at or BEGINNING)
    answer = subject.answers[live.restores or live.ref.id]
    pushed = last if live.ref.id in known else Pushed(live.commit, live.ref.id)
    return Ended(pushed, answer, answer)
