"""UndoRelease: everything else that the release changed, in reverse order, one step at a time."""

from __future__ import annotations

from functions.undo_release.executions import stop_release
from functions.undo_release.stages import undo_stage
from tidegate.adapters.plans import find_plan, forget_healthy
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
    """Stop the release's execution, so that it writes no stack; then undo its stages, the last one first."""
    release = request.release
    claim = tools.ledger.check_epoch(release)
    stop_release(claim, tools)
    plan = find_plan(tools.documents, release)
    stages = reversed(plan.stages) if plan else ()
    undone = all(undo_stage(release, stage, tools) for stage in stages)
    if undone and plan:
        for stage in plan.stages:
            forget_healthy(tools.ledger, tools.documents, release, stage.stage)
        what = "undid the stacks: " + ", ".join(stage.stack_name for stage in reversed(plan.stages))
        tools.record(release, "UndoRelease", what, key=f"{release.epoch}")
    return Response(undone=undone)


handler = task(Request, handle)
