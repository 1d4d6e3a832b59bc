"""An operator goes back over several releases, from the command line, and the next commit is released."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tidegate.cli.outcomes import Exit
from tidegate.domain.ledger import Outcome

if TYPE_CHECKING:
    from tests.pipelines.services import Service

AT_ONCE: dict[str, Any] = {"strategy": "AllAtOnce"}


def test_four_releases_back_to_the_second_and_a_fifth(fresh: Service) -> None:
    fresh.config["stages"]["production"] |= AT_ONCE
    pushed = [fresh.release_good() for _ in range(4)]
    second, answer = pushed[1].release_id, next(iter(fresh.codes[key] for key in list(fresh.codes)[1:2]))
    listed = json.loads(fresh.command("rollback", fresh.name, "--list", "--json").output)
    assert [one["release"] for one in listed] == [one.release_id for one in reversed(pushed)]
    assert [one["live"] for one in listed][0] == ["staging", "production"]

    done = fresh.command("rollback", fresh.name, "--to", second, "--reason", "prices are wrong", "--wait")
    assert done.exit_code == Exit.DONE, done.output
    assert f"{fresh.name} is restored" in done.output
    fresh.live = next(key for key, code in fresh.codes.items() if code == answer)
    fresh.check_settled()
    assert set(fresh.ask("staging")) == {fresh.live}
    newest = next(iter(fresh.pipeline.ledger.releases(fresh.name)))
    assert (newest.outcome, newest.restores) == (Outcome.RESTORED, second)
    assert fresh.outcome(pushed[3]) is Outcome.ROLLED_BACK
    assert fresh.outcome(pushed[2]) is Outcome.PROMOTED

    again = fresh.push("HEAD")
    assert again.release_id == pushed[3].release_id
    assert fresh.outcome(fresh.release_good()) is Outcome.PROMOTED
    assert fresh.outcome(pushed[3]) is Outcome.ROLLED_BACK
    fresh.check_settled()


def test_a_release_that_is_not_kept_is_refused_and_those_that_are_are_named(fresh: Service) -> None:
    pushed = fresh.release_good()
    done = fresh.command("rollback", fresh.name, "--to", "abcdef")
    assert done.exit_code == Exit.FAILED
    assert f"cannot go back to abcdef; it can go to {pushed.release_id}" in done.output + done.stderr
