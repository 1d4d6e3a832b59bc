"""CompleteRelease: record the release as promoted, free the claim, and tell."""

from __future__ import annotations

from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.domain.ledger import Outcome
from tidegate.task import Tools, task


class Request(Frozen):
    """The release."""

    release: ReleaseRef


class Response(Frozen):
    """How long the release took, in seconds."""

    seconds: float


def handle(request: Request, tools: Tools) -> Response:
    """Close the release before the claim is freed, so that whoever takes the claim sees it closed."""
    release, now = request.release, tools.now()
    tools.ledger.check_epoch(release)
    seconds = (now - release.opened_at).total_seconds()
    what = f"completed after {seconds:.0f} s: every stage runs the new versions"
    tools.record(release, "CompleteRelease", what, evidence={"seconds": seconds})
    tools.ledger.close_release(release, Outcome.PROMOTED, what, now)
    tools.bus.publish("Release Completed", release, f"{release.service}: release {release.id} {what}")
    tools.ledger.free_claim(release)
    return Response(seconds=seconds)


handler = task(Request, handle)
