"""One service's turn: the chain is cut first, so that nobody can go back to what is about to be deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from functions.prune_versions.stages import Turn, prune_stages
from tidegate.adapters.healthy import cut_chain, read_chain
from tidegate.adapters.plans import find_snapshot
from tidegate.domain.ledger import Claim, ClaimState
from tidegate.domain.pruning import DOCUMENT_DAYS, Progress, PruneReport, choose_kept

if TYPE_CHECKING:
    from datetime import datetime

    from tidegate.domain.healthy import Healthy
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
    epoch = claim.epoch
    if not dry_run and not after:
        for items in kept.values():
            cut_chain(tools.documents, *items[-1])
        if not _pass(claim, tools):
            return PruneReport(service=service, note="a release has just begun: nothing is touched")
        epoch += 1
    turn = Turn(kept=kept, after="" if dry_run else after, until=until, dry_run=dry_run)
    fates, reached = prune_stages(turn, tools)
    if not dry_run:
        done = Progress(epoch=epoch, after=reached, done=not reached)
        tools.ledger.put_document(service, PROGRESS, done.model_dump_json())
    documents = _prune_documents(claim, kept, tools, dry_run=dry_run)
    return PruneReport(service=service, fates=fates, documents=documents, unfinished=bool(reached))


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


def _pass(claim: Claim, tools: Tools) -> bool:
    """Raise the epoch of the free claim: an order that read the chain before the cut must read it again."""
    raised = claim.model_copy(update={"epoch": claim.epoch + 1})
    return tools.ledger.write_claim(raised, over=claim)


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
