"""RestoreTraffic: every alias of the release back on its stable version, before anything else is undone."""

from __future__ import annotations

from functions.restore_traffic.aliases import restore_stage
from tidegate.adapters.plans import find_rollout
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.domain.ledger import Failure
from tidegate.task import Tools, task


class Request(Frozen):
    """The release to take back, under the epoch that may do so, and why."""

    release: ReleaseRef
    failure: Failure


class Response(Frozen):
    """How many aliases were written, over all stages."""

    restored: int


def handle(request: Request, tools: Tools) -> Response:
    """Restore production first: that is where users are. A stage without a rollout has nothing to restore."""
    release = request.release
    stages = [target.name for target in reversed(tools.settings.stages)]
    rollouts = [found for stage in stages if (found := find_rollout(tools.documents, release, stage))]
    restored = sum(restore_stage(release, rollout, tools) for rollout in rollouts)
    names = {rollout.stage: {f.logical_id: f.stable for f in rollout.functions} for rollout in rollouts}
    what = f"restored {restored} aliases; {request.failure.reason}" if rollouts else request.failure.reason
    evidence = {"restored": restored, "stable": names, "failure": request.failure.model_dump()}
    tools.record(release, "RestoreTraffic", what, key=f"{release.epoch}", evidence=evidence)
    return Response(restored=restored)


handler = task(Request, handle)
