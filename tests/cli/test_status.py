from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tidegate.domain.ledger import Outcome

if TYPE_CHECKING:
    from tests.cli.conftest import World

BAD = "JudgeCanary: CanaryFailed: CreateOrder: canary failed 9 of 40 requests"


def test_nothing_has_been_released(world: World) -> None:
    done = world.call("status")
    assert (done.exit_code, done.output) == (0, "nothing has been released yet\n")


def test_services_with_their_last_release(world: World) -> None:
    world.release("a" * 40, outcome=Outcome.PROMOTED)
    world.release("b" * 40, outcome=Outcome.ROLLED_BACK, reason=BAD)
    world.release("c" * 40, service="billing", outcome=Outcome.PROMOTED)
    lines = world.call("status").output.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [
        ["billing", "cccccccccccc-1"],
        ["orders", "bbbbbbbbbbbb-1"],
    ]
    assert "rolled back" in lines[2]
    assert BAD in lines[2]


def test_releases_of_a_service_newest_first(world: World) -> None:
    first = world.release("a" * 40)
    world.tell(first, "ShiftTraffic", "shifting 10 %", "production", weight=10)
    world.end(first, Outcome.PROMOTED)
    world.release("b" * 40)
    lines = world.call("status", "orders").output.splitlines()
    assert lines[0].split() == ["release", "commit", "branch", "outcome", "stage", "opened", "took", "reason"]
    assert lines[1].startswith("bbbbbbbbbbbb-1")
    assert lines[1].endswith("opened for commit bbbbbbbbbbbb on main")
    assert lines[2].split()[:5] == ["aaaaaaaaaaaa-1", "aaaaaaaaaaaa", "main", "promoted", "production"]
    assert len(world.call("status", "orders", "--limit", "1").output.splitlines()) == 2


def test_decisions_of_a_release(world: World) -> None:
    release = world.release("a" * 40)
    world.tell(release, "JudgeCanary", "rollback at 10 %: [bold] is not markup", "production")
    world.end(release, Outcome.ROLLED_BACK, BAD)
    done = world.call("status", "orders", "aaaa")
    assert done.output.startswith("orders aaaaaaaaaaaa-1: rolled back after 1 min 32 s: JudgeCanary")
    assert "JudgeCanary  production  rollback at 10 %: [bold] is not markup" in done.output
    assert world.call("status", "orders", "last").output == done.output


def test_json_holds_everything_and_nothing_else(world: World) -> None:
    release = world.release("a" * 40)
    world.tell(release, "ShiftTraffic", "shifting 10 %", "staging", weight=10)
    one = json.loads(world.call("status", "orders", release.ref.id, "--json").stdout)
    assert (one["service"], one["release"], one["stage"]) == ("orders", release.ref.id, "staging")
    assert [entry["step"] for entry in one["entries"]] == ["OpenRelease", "ShiftTraffic"]
    assert one["entries"][1]["evidence"] == {"weight": 10}
    assert [item["outcome"] for item in json.loads(world.call("status", "--json").stdout)] == ["open"]
    assert json.loads(world.call("status", "orders", "--json").stdout)[0]["release"] == release.ref.id


def test_what_is_not_there_is_named(world: World) -> None:
    world.release("a" * 40)
    done = world.call("status", "unknown")
    assert done.exit_code == 1
    assert done.stderr == "error: unknown has never been released; released services: orders\n"
    done = world.call("status", "orders", "ffff")
    assert done.stderr == "error: orders has no release ffff; the last ones are aaaaaaaaaaaa-1\n"
