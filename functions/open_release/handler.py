"""OpenRelease: claim the service for a release and write its first ledger entry."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from functions.open_release.claims import Standing, give_up, open_claim, take_turn
from tidegate.domain.identity import Commit, Frozen, ReleaseRef, release_id
from tidegate.domain.ledger import Release
from tidegate.task import Tools, task


class Request(Frozen):
    """`started_at` is the execution's start: the order in which commits arrived."""

    commit: Commit
    attempt: int
    execution: str
    started_at: datetime


class Response(Frozen):
    """How the release stands; `reason` says why where it is not opened."""

    status: Literal["opened", "waiting", "duplicate", "refused"]
    release: ReleaseRef
    wait_seconds: int = 1
    error: str = ""
    reason: str = ""


def handle(request: Request, tools: Tools) -> Response:
    """Open the release, or say why it must wait or end."""
    commit = request.commit
    ref = ReleaseRef(
        service=commit.service,
        id=release_id(commit, request.attempt),
        execution=request.execution,
        epoch=0,
        opened_at=request.started_at,
    )
    turn = take_turn(Release(ref=ref, commit=commit, attempt=request.attempt), tools)
    if turn is not None:
        return Response(release=ref, **turn.model_dump())
    claim = open_claim(ref, tools)
    if isinstance(claim, Standing):
        return Response(release=ref, **claim.model_dump())
    opened = claim.release
    tools.ledger.open_release(Release(ref=opened, commit=commit, attempt=request.attempt))
    ended = give_up(opened, tools)
    if ended is not None:
        return Response(release=opened, **ended.model_dump())
    what = f"opened for commit {commit.id[:12]} on {commit.branch}"
    evidence = {"commit": commit.model_dump(), "epoch": claim.epoch}
    tools.record(opened, "OpenRelease", what, evidence=evidence)
    tools.bus.publish("Release Started", opened, f"{commit.service}: release {opened.id} {what}")
    return Response(status="opened", release=opened)


handler = task(Request, handle)
