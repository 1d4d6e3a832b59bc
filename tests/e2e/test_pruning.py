"""The janitor over several real releases: what it deletes, and what never goes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tidegate.cli.approvals import answer
from tidegate.cli.outcomes import Exit
from tidegate.domain.ledger import Outcome

if TYPE_CHECKING:
    from tests.pipelines.services import Service
    from tidegate.cli.push import Pushed

NEWEST = "the newest: a release that changes nothing is given it again"


def name(service: Service, stage: str) -> str:
    ((function, _),) = service.aliases(stage).values()
    return function


def versions(service: Service) -> dict[str, list[str]]:
    """The published versions by stage."""
    found = {}
    for stage in ("staging", "production"):
        pages = service.client("lambda").get_paginator("list_versions_by_function")
        items = [v for p in pages.paginate(FunctionName=name(service, stage)) for v in p["Versions"]]
        found[stage] = [item["Version"] for item in items if item["Version"] != "$LATEST"]
    return found


def prune(service: Service, *options: str) -> dict[str, dict[str, tuple[bool, str]]]:
    """What the command says of each version, by stage: whether it goes, and why."""
    done = service.command("prune", service.name, "--json", *options)
    assert done.exit_code == Exit.DONE, done.output
    report = json.loads(done.output)
    assert not report["unfinished"]
    found: dict[str, dict[str, tuple[bool, str]]] = {}
    for fate in report["fates"]:
        found.setdefault(fate["stage"], {})[fate["version"]] = (fate["goes"], fate["reason"])
    return found


def wait_for_approval(service: Service) -> Pushed:
    """A release whose new version is live in staging, and that waits before production."""
    service.config["stages"]["production"]["approval"] = "required"
    service.change()
    pushed = service.push()
    service.await_entry(pushed, "AwaitApproval", "production")
    return pushed


def test_over_six_releases_what_nobody_needs_goes_and_nothing_else(fresh: Service) -> None:
    fresh.config["stages"]["production"]["strategy"] = "AllAtOnce"
    pushed, answers = [], []
    for _ in range(6):
        pushed.append(fresh.release_good())
        answers.append(fresh.live)
    fresh.client("lambda").create_alias(
        FunctionName=name(fresh, "production"), Name="theirs", FunctionVersion="2"
    )
    every = [str(number) for number in range(1, 7)]

    fates = prune(fresh, "--dry-run")
    kept = {str(n): (False, f"release {pushed[n - 1].release_id} can be gone back to") for n in (4, 5, 6)}
    anchor = (False, f"the anchor of {fresh.name}-production: a resource of the stack")
    stale = (True, "nobody needs it")
    theirs = (False, "the alias theirs points at it")
    assert fates["production"] == {**kept, "1": anchor, "2": theirs, "3": stale}
    assert {key for key, (goes, _) in fates["staging"].items() if goes} == {"2", "3"}
    assert versions(fresh) == {"staging": every, "production": every}

    shown = fresh.command("prune", fresh.name, "--dry-run").output
    assert f"{fresh.name}: 3 of 12 versions would go" in shown

    waiting = wait_for_approval(fresh)
    said = fresh.command("prune", fresh.name).output
    assert f"release {waiting.release_id} is under way: nothing is touched" in said
    assert versions(fresh) == {"staging": [*every, "7"], "production": every}
    answer(fresh.pipeline, fresh.name, waiting.release_id, approve=False, comment="not today")
    fresh.await_end(waiting)

    fates = prune(fresh)
    assert fates["staging"]["7"] == (False, NEWEST)
    assert versions(fresh) == {"staging": ["1", "4", "5", "6", "7"], "production": ["1", "2", "4", "5", "6"]}
    assert "nothing was released since the last time" in fresh.command("prune", fresh.name).output
    fresh.check_settled()

    # N-2 can be gone back to, to nothing older; and what runs after that is not touched either.
    refused = fresh.command("rollback", fresh.name, "--to", pushed[2].release_id)
    assert refused.exit_code == Exit.FAILED
    done = fresh.command("rollback", fresh.name, "--to", pushed[3].release_id, "--wait")
    assert done.exit_code == Exit.DONE, done.output
    fresh.live = answers[3]
    prune(fresh)
    fresh.check_settled()
    assert set(fresh.ask("staging")) == {fresh.live}
    assert "4" in versions(fresh)["production"]
    fresh.reset()
    fresh.config["stages"]["production"]["strategy"] = "AllAtOnce"
    assert fresh.outcome(fresh.release_good()) is Outcome.PROMOTED
