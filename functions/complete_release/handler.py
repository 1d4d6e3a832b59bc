"""CompleteRelease: record the release as promoted, free the claim, and tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.domain.ledger import Outcome, Release
from tidegate.task import Tools, task

if TYPE_CHECKING:
    from datetime import datetime


class Request(Frozen):
    """The release."""

    release: ReleaseRef


class Response(Frozen):
    """How long the release took, in seconds."""

    seconds: float


def handle(request: Request, tools: Tools) -> Response:
    """Close the release before the claim is freed, so that whoever takes the claim sees it closed.

    A run that finds the release closed as promoted is a retry: the claim may be free, or another's by now.
    Telling comes last, since nothing depends on it.
    """
    release = request.release
    closed = tools.ledger.release(release)
    if closed.outcome is not Outcome.PROMOTED:
        closed = _close(release, tools)
    seconds, what = _measure(release, closed.closed_at or tools.now())
    tools.ledger.free_claim(release)
    message = f"{release.service}: release {release.id} {what}"
    tools.announce("CompleteRelease", "Release Completed", release, message)
    return Response(seconds=seconds)


def _close(release: ReleaseRef, tools: Tools) -> Release:
    tools.ledger.check_epoch(release)
    now = tools.now()
    seconds, what = _measure(release, now)
    tools.record(release, "CompleteRelease", what, evidence={"seconds": seconds})
    return tools.ledger.close_release(release, Outcome.PROMOTED, what, now, under=release)


def _measure(release: ReleaseRef, closed_at: datetime) -> tuple[float, str]:
    seconds = (closed_at - release.opened_at).total_seconds()
    return seconds, f"completed after {seconds:.0f} s: every stage runs the new versions"


handler = task(Request, handle)
