"""What scenarios are made of: how production is configured, a release under traffic, and how a run has ended."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tidegate.domain.ledger import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.subjects import Subject
    from tidegate.cli.push import Pushed

# How fast threads of a busy machine answer says nothing of a version.
CALM: dict[str, Any] = {"signals": {"latency": "observe", "timeouts": "observe"}, "minimum_invocations": 5}
CANARY = {**CALM, "strategy": "Canary50Percent1Minute", "bake": "0s"}
AT_ONCE = {**CALM, "strategy": "AllAtOnce", "bake": "0s"}
BAKING = {**CALM, "strategy": "AllAtOnce", "bake": "10m"}
# How a release ends whose versions are live from then on.
LIVE = frozenset({Outcome.PROMOTED, Outcome.RESTORED})
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
    """`prepare` happens before the plan is armed, `drive` under it; a `fresh` one has never been released."""

    name: str
    drive: Callable[[Subject], Ended]
    allowed: frozenset[Outcome]
    prepare: Callable[[Subject], None] = lambda _: None
    fresh: bool = False


def configure(subject: Subject, production: dict[str, Any]) -> None:
    subject.config["stages"]["production"] = dict(production)


def release(subject: Subject, body: str = "pass", **files: str) -> Ended:
    """A release to its end; requests are sent while production is split."""
    before = subject.live
    after = subject.change(body, **files)
    with traffic(subject):
        pushed = subject.start()
        subject.settle()
    return Ended(pushed, before, after)
