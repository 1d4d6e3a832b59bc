"""UndoRelease: everything else that the release changed, in reverse order, one step at a time."""

from __future__ import annotations

from functions.undo_release.builds import stop_builds
from functions.undo_release.executions import stop_release
from functions.undo_release.provisioning import return_provisioning
from functions.undo_release.returns import describe_returns, return_stacks
from functions.undo_release.stages import undo_stages
from tidegate.adapters.healthy import find_going_back
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.domain.ledger import Failure
from tidegate.task import Tools, task


class Request(Frozen):
    """The release to undo, and why."""

    release: ReleaseRef
    failure: Failure


class Response(Frozen):
    """Whether there is nothing left to undo."""

    undone: bool


def handle(request: Request, tools: Tools) -> Response:
    """Stop the release's execution, so that it writes no stack; then undo its stages, the last one first.

    An order to go back undoes the release that it leaves unfinished, then takes the stacks further back.
    """
    release = request.release
    claim = tools.ledger.check_epoch(release)
    going = find_going_back(tools.documents, release)
    leaving = release if going is None else going.over if going.unfinished else None
    said: list[str] = []
    if leaving is not None:
        stop_release(leaving, claim, tools)
        stop_builds(leaving, tools)
        undone = undo_stages(leaving, tools, release)
        if undone is None:
            return Response(undone=False)
        said += [f"undid the stacks: {', '.join(undone)}"] if undone else []
    if going is not None:
        return_provisioning(release, going, tools)
        if not return_stacks(release, going, tools):
            return Response(undone=False)
        said += describe_returns(release, going, tools)
    if said:
        tools.record(release, "UndoRelease", "; ".join(said), key=f"{release.epoch}")
    return Response(undone=True)


handler = task(Request, handle)
