"""AwaitBuilds: starts what CodeBuild has to make of a share, and leaves the state waiting for its end.

The state goes on when ResumeRelease, or this task itself, answers its token. A lost event costs time alone:
the state's timeout brings another attempt, which looks at the builds again.
"""

from __future__ import annotations

from tidegate.adapters.codebuild import look
from tidegate.adapters.errands import Share, read_waiting, start_builds, write_waiting
from tidegate.adapters.executions import resume
from tidegate.adapters.plans import read_snapshot
from tidegate.domain.errands import has_news
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.task import Tools, task


class Request(Frozen):
    """The release, which of its shares, and the state machine's token, for SendTaskSuccess."""

    release: ReleaseRef
    index: int
    token: str


class Response(Frozen):
    """How many builds of the share are waited for."""

    builds: int


def handle(request: Request, tools: Tools) -> Response:
    """Keep the token, then start builds, then look: an event that came in between found nobody to tell."""
    ref, index = request.release, request.index
    tools.ledger.check_epoch(ref)
    share = Share(ref, index, read_snapshot(tools.documents, ref))
    before = read_waiting(tools.ledger, ref.service, ref.id, index)
    waiting = before.model_copy(update={"token": request.token})
    write_waiting(tools.ledger, ref, index, waiting)
    waiting = start_builds(share, waiting, tools.documents, tools.ledger, tools.builds, tools.now())
    _tell(share, waiting.last, before.last, tools)
    if has_news(waiting, look(tools.builds, waiting.last)):
        resume(tools.machines, waiting.token)
    return Response(builds=len(waiting.builds))


def _tell(share: Share, builds: tuple[str, ...], before: tuple[str, ...], tools: Tools) -> None:
    for build in sorted(set(builds) - set(before)):
        what = f"CodeBuild builds: {build}"
        tools.record(
            share.ref, "AwaitBuilds", what, key=build, evidence={"build": build, "share": share.index}
        )


handler = task(Request, handle)
