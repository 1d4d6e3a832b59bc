"""Orders to take a release back and to go back: an operator's, of what has completed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults.acts import AT_ONCE, Ended, configure
from tidegate.cli.push import Pushed
from tidegate.cli.rollback import start_rollback
from tidegate.cli.ways import Goal, read_ways

if TYPE_CHECKING:
    from tests.faults.subjects import Subject

OVER = 2  # releases that are gone back over, the live one among them


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


def find_goal(subject: Subject, over: int) -> Goal | None:
    """The release so many before the live one; none whose template is another than that of today."""
    ways = read_ways(subject.pipeline, subject.name)[over:]
    same = ways and not any(state.provided for state in ways[0].states.values())
    return ways[0] if same else None


def prepare_ways(subject: Subject) -> None:
    """So many releases that one can go back over one."""
    configure(subject, AT_ONCE)
    while find_goal(subject, OVER) is None or find_goal(subject, 1) is None:
        subject.release_clean()


def drive_back(subject: Subject) -> Ended:
    """An operator goes back over the last two releases; the order is a release of its own."""
    goal = find_goal(subject, OVER)
    assert goal is not None
    before = subject.live
    after = subject.answer(goal.states["production"].versions[subject.functions[0]])
    known = {one.ref.id for one in subject.pipeline.ledger.releases(subject.name)}
    start_rollback(subject.pipeline, subject.name, "the harness", goal.release.ref.id)
    subject.settle()
    orders = (one for one in subject.pipeline.ledger.releases(subject.name) if one.ref.id not in known)
    order = next((one.ref.id for one in orders), "never taken")
    return Ended(Pushed(goal.release.commit, order), before, after)
