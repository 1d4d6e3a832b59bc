"""One service's turn: the chain is cut first, so that nobody can go back to what is about to be deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from functions.prune_versions.stages import Turn, prune_stages
from functions.prune_versions.tidying import Tidying, tidy_stage
from tidegate.adapters.healthy import cut_chain, read_chain
from tidegate.adapters.plans import find_rollouts, find_snapshot
from tidegate.domain.ledger import ClaimState
from tidegate.domain.pruning import DOCUMENT_DAYS, Progress, PruneReport, choose_kept

if TYPE_CHECKING:
    from datetime import datetime

    from tidegate.domain.healthy import Healthy
    from tidegate.domain.ledger import Claim
    from tidegate.task import Tools

PROGRESS: Final = "pruned"
LEAST: Final = 3  # the live release, the one before, and the one before that

Kept = dict[str, tuple[tuple[str, "Healthy"], ...]]


def prune_service(service: str, until: datetime, tools: Tools, *, dry_run: bool) -> PruneReport:
    """Delete what nobody needs, until the time is up; a dry run only says what it would do.

    Nothing is done while a release or a rollback has the claim, nor where there was none since the last time:
    that costs two reads.
    """
    claim = tools.ledger.read_claim(service)
    if claim is None:
        return PruneReport(service=service, note=f"{service} has never been released")
    if claim.state is not ClaimState.FREE:
        return PruneReport(
            service=service, note=f"release {claim.release.id} is under way: nothing is touched"
        )
    body = tools.ledger.document(service, PROGRESS)
    progress = Progress.model_validate_json(body) if body else None
    if progress is not None and progress.epoch == claim.epoch and progress.done and not dry_run:
        return PruneReport(service=service, note="nothing was released since the last time")
    kept = _choose(service, tools)
    after = progress.after if progress is not None and progress.epoch == claim.epoch else ""
    if not dry_run and not after:
        cut = _cut(claim, kept, tools)
        if cut is None:
            return PruneReport(service=service, note="a release has just begun: nothing is touched")
        claim = cut
    tidying = Tidying(claim, tools, dry_run)
    for target in tools.settings.stages:
        tidy_stage(target.name, [h.release_id for _, h in kept.get(target.name, ())], tidying)
    others = _list_moved(claim, tools)
    fates, reached = prune_stages(Turn(kept, others, "" if dry_run else after, until, tidying), tools)
    if not dry_run:
        # What was left behind goes step by step, or could not go: the next turn looks again.
        done = Progress(epoch=claim.epoch, after=reached, done=not reached and not tidying.said)
        tools.ledger.put_document(service, PROGRESS, done.model_dump_json())
    return PruneReport(
        service=service,
        fates=fates,
        documents=_prune_documents(claim, kept, tools, dry_run=dry_run),
        tidied=tuple(tidying.said),
        unfinished=bool(reached),
    )


def _cut(claim: Claim, kept: Kept, tools: Tools) -> Claim | None:
    """End each stage's chain after what is kept; the claim under a new epoch, None if it is held by now."""
    for items in kept.values():
        cut_chain(tools.documents, *items[-1])
    raised = claim.model_copy(update={"epoch": claim.epoch + 1})
    # An order that read the chain before the cut must read it again.
    return raised if tools.ledger.write_claim(raised, over=claim) else None


def _list_moved(claim: Claim, tools: Tools) -> dict[str, frozenset[str]]:
    """The functions that the last release has moved, by stage: an undone one may be in no healthy state."""
    stages = [target.name for target in tools.settings.stages]
    rollouts = find_rollouts(tools.documents, claim.release, stages)
    return {rollout.stage: frozenset(f.name for f in rollout.functions) for rollout in rollouts}


def _choose(service: str, tools: Tools) -> Kept:
    """The releases that stay, by stage; how many is for the service's configuration to say."""
    kept: Kept = {}
    for target in tools.settings.stages:
        chain = list(read_chain(tools.ledger, tools.documents, service, target.name))
        if chain:
            snapshot = find_snapshot(tools.documents, service, chain[0][1].label)
            keep = snapshot.config.keep_releases if snapshot else LEAST
            kept[target.name] = choose_kept(chain, max(keep, LEAST))
    return kept


def _prune_documents(claim: Claim, kept: Kept, tools: Tools, *, dry_run: bool) -> tuple[str, ...]:
    """Delete the documents of releases that ended long ago and that nobody can go back to."""
    service = claim.service
    needed = {claim.release.id}
    for items in kept.values():
        needed |= {name for _, healthy in items for name in (healthy.label, healthy.release_id)}
    prefix = f"releases/{service}/"
    standing = set(tools.documents.list_folders(prefix)) - needed
    if not standing:
        return ()
    limit = tools.now() - timedelta(days=DOCUMENT_DAYS)
    stale = tuple(
        release.ref.id
        for release in tools.ledger.releases(service)
        if release.ref.id in standing and release.closed_at is not None and release.closed_at < limit
    )
    for name in () if dry_run else stale:
        tools.documents.delete_folder(f"{prefix}{name}/")
    return stale
