"""An operator's order to go back to a release: is there a way, and what is written before the claim is taken.

Everything here can be done again: the order's id is reserved for the execution, and its documents are written
before anybody can see them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.diagnose_rollback.ways import Way, find_obstacle, find_way
from tidegate.adapters.healthy import find_going_back, find_healthy, write_going_back
from tidegate.adapters.plans import find_rollout, write_rollout
from tidegate.domain.healthy import GoingBack, plan_moves
from tidegate.domain.identity import Frozen, ReleaseRef, release_id
from tidegate.domain.ledger import Claim, ClaimState, Outcome, Release
from tidegate.domain.rollouts import Rollout

if TYPE_CHECKING:
    from tidegate.domain.triggers import OperatorAsked
    from tidegate.task import Tools


class Order(Frozen):
    """The release that the order is, in the ledger; none where it is refused, for this reason."""

    reason: str
    release: Release | None = None


def place_order(trigger: OperatorAsked, claim: Claim, execution: str, tools: Tools) -> Order:
    """Write the order down, or refuse it. VersionsPending leaves while a version to go back to wakes up."""
    releases = list(tools.ledger.releases(trigger.service))
    target = next((release for release in releases if release.ref.id == trigger.to), None)
    way = find_way(trigger, tools)
    if isinstance(way, str) or target is None:
        return Order(reason=way if isinstance(way, str) else f"the ledger has no release {trigger.to}")
    going = _leave(claim, target, trigger.reason, way, tools)
    if going.unfinished and going.over is not None and going.over.id == target.ref.id:
        return Order(reason=f"release {target.ref.id} is under way: take it back first")
    obstacle = find_obstacle(way, tools)
    if obstacle:
        return Order(reason=f"{trigger.service} cannot go back to {trigger.to}: {obstacle}")
    order = _open(target, releases, execution, tools)
    _write(order.ref, going, way, tools)
    tools.ledger.open_release(order)
    _overtake(claim, order, tools)
    return Order(reason=f"going back to release {target.ref.id}: {trigger.reason}", release=order)


def _leave(claim: Claim, target: Release, reason: str, way: Way, tools: Tools) -> GoingBack:
    """Where it goes to, and what it leaves: the release that runs, or the one that is live."""
    going = GoingBack(
        target=target.ref, reason=reason, healthy={stage: key for stage, (key, _) in way.items()}
    )
    unfinished = claim.state is not ClaimState.FREE
    before = find_going_back(tools.documents, claim.release)
    if before is not None:
        return going.model_copy(update={"over": before.over, "unfinished": True}) if unfinished else going
    promoted = tools.ledger.release(claim.release).outcome is Outcome.PROMOTED
    if unfinished or (promoted and claim.release.id != target.ref.id):
        return going.model_copy(update={"over": claim.release, "unfinished": unfinished})
    return going


def _open(target: Release, releases: list[Release], execution: str, tools: Tools) -> Release:
    """The order as a further attempt of its target's commit; the same one however often it is asked for."""
    opened = next((release for release in releases if release.ref.execution == execution), None)
    if opened is not None:
        return opened
    commit = target.commit
    attempt = max(release.attempt for release in releases if release.commit.id == commit.id) + 1
    while (
        tools.ledger.reserve(commit.service, f"opened#{release_id(commit, attempt)}", execution) != execution
    ):
        attempt += 1
    ref = ReleaseRef(
        service=commit.service,
        id=release_id(commit, attempt),
        execution=execution,
        epoch=0,
        opened_at=tools.now(),
    )
    return Release(ref=ref, commit=commit, attempt=attempt, restores=target.ref.id)


def _write(ref: ReleaseRef, going: GoingBack, way: Way, tools: Tools) -> None:
    """The order, and the moves of every stage: to its target, or off the release that it takes back first."""
    for target in tools.settings.stages:
        stage, over = target.name, None
        if going.over is not None and going.unfinished:
            over = find_rollout(tools.documents, going.over, stage)
        moves = over.functions if over else ()
        if stage in way:
            now = find_healthy(tools.ledger, tools.documents, ref.service, stage)
            moves = plan_moves(way[stage][1], now.functions if now else {}, moves)
        if moves:
            write_rollout(tools.documents, ref, Rollout(stage=stage, functions=moves))
    write_going_back(tools.documents, ref, going)


def _overtake(claim: Claim, order: Release, tools: Tools) -> None:
    """An order that never ended is overtaken by the next."""
    if claim.state is ClaimState.FREE or claim.release.id == order.ref.id:
        return
    before = tools.ledger.release(claim.release)
    if before.restores:
        reason = f"overtaken by the order {order.ref.id}"
        tools.ledger.close_release(before.ref, Outcome.SUPERSEDED, reason, tools.now(), under=None)
