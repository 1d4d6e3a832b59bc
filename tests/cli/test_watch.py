from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import machine
from tidegate.cli.failures import Failed
from tidegate.cli.following import await_release, find_end, follow
from tidegate.domain.ledger import Outcome

if TYPE_CHECKING:
    from tests.cli.conftest import World
    from tidegate.domain.ledger import Entry

WAITS = machine({"Wait": {"Type": "Wait", "Seconds": 60, "End": True}})
FAILS = machine({"NeedsOperator": {"Type": "Fail", "Error": "NeedsOperator", "Cause": "RestoreTraffic: no"}})


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome.PROMOTED, 0),
        (Outcome.REJECTED, 3),
        (Outcome.SUPERSEDED, 3),
        (Outcome.ROLLED_BACK, 4),
        (Outcome.NEEDS_OPERATOR, 5),
    ],
)
def test_exit_code_says_how_it_ended(world: World, outcome: Outcome, code: int) -> None:
    world.release("a" * 40, outcome=outcome, reason="TestFunction: TestsFailed: 1 failed")
    done = world.call("watch", "orders")
    assert done.exit_code == code
    lines = done.output.splitlines()
    assert lines[0].endswith("OpenRelease opened for commit aaaaaaaaaaaa on main")
    assert lines[-1].startswith(f"orders aaaaaaaaaaaa-1: {outcome.value.replace('_', ' ')} after 1 min 31 s")


def test_new_entries_are_shown_once_as_they_come(world: World) -> None:
    release = world.release("a" * 40)
    world.run("tidegate-release", WAITS, f"orders-{release.ref.id}")
    shown: list[str] = []

    def show(entry: Entry) -> None:
        shown.append(entry.step)
        if entry.step == "OpenRelease":
            world.tell(release, "ShiftTraffic", "shifting 10 %", "production", weight=10)
        else:
            world.end(release, Outcome.PROMOTED)

    ended = follow(world.pipeline, release.ref, show, poll=0.01)
    assert shown == ["OpenRelease", "ShiftTraffic"]
    assert ended.outcome is Outcome.PROMOTED


def test_release_that_nobody_works_on_needs_an_operator(world: World) -> None:
    release = world.release("a" * 40)
    world.run("tidegate-release", FAILS, f"orders-{release.ref.id}")
    with pytest.raises(Failed, match=r"nobody works on orders aaaa.*FAILED \(NeedsOperator: Rest") as failed:
        follow(world.pipeline, release.ref, lambda _: None, poll=0.01, repair_seconds=0.1)
    assert failed.value.exit_code == 5


def test_release_that_waits_for_its_turn_is_awaited(world: World) -> None:
    world.run("tidegate-release", WAITS, f"orders-{'a' * 12}-1")
    told: list[str] = []

    def wait(text: str) -> None:
        told.append(text)
        world.release("a" * 40)

    found = await_release(world.pipeline, "orders", f"{'a' * 12}-1", wait, poll=0.01)
    assert told == ["orders aaaaaaaaaaaa-1 has started; it opens once no other release is under way"]
    assert found.commit.id == "a" * 40


def test_release_that_never_starts_is_not_awaited_for_ever(world: World) -> None:
    with pytest.raises(Failed, match=r"no release aaaa-1 of orders has started after 0 s: is its branch"):
        await_release(world.pipeline, "orders", "aaaa-1", lambda _: None, poll=0.01, start_seconds=0)


def test_rollback_that_holds_the_claim_is_waited_for(world: World) -> None:
    release = world.release("a" * 40)
    world.run("tidegate-release", FAILS, f"orders-{release.ref.id}")
    holder = world.run("tidegate-rollback", WAITS, "alarm-1")
    claim = world.pipeline.ledger.read_claim("orders")
    assert claim is not None
    taken = claim.model_copy(update={"epoch": 2, "holder": holder})
    assert world.pipeline.ledger.write_claim(taken, over=claim)
    assert find_end(world.pipeline, release.ref) == ""


def test_release_that_ended_before_it_was_opened_is_told(world: World) -> None:
    refused = machine({"Rejected": {"Type": "Fail", "Error": "Rejected", "Cause": "NeedsOperator"}})
    world.run("tidegate-release", refused, "orders-aaaaaaaaaaaa-1")
    with pytest.raises(Failed, match="the execution of orders aaaaaaaaaaaa-1 ended as FAILED before"):
        await_release(world.pipeline, "orders", "aaaaaaaaaaaa-1", lambda _: None, poll=0.05)
