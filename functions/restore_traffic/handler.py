"""RestoreTraffic: every alias of the release back on its stable version, before anything else is undone."""

from __future__ import annotations

from tidegate.adapters.plans import find_rollouts
from tidegate.adapters.restoring import restore
from tidegate.domain.errors import ClaimLost, ForeignChange
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.domain.ledger import Failure, Outcome
from tidegate.domain.recovery import describe_restore
from tidegate.task import Tools, task


class Request(Frozen):
    """The release to take back, under the epoch that may do so, and why."""

    release: ReleaseRef
    failure: Failure


class Response(Frozen):
    """How many aliases were written, over all stages."""

    restored: int


# A person, or another tool, has moved an alias in the middle of the rollout: that is not fought.
FOREIGN = ForeignChange.__name__
LAST = "CompleteRelease"


def handle(request: Request, tools: Tools) -> Response:
    """Restore production first: that is where users are. A stage without a rollout has nothing to restore.

    ClaimLost leaves where the release is complete, and only its last task failed: that takes nothing back.
    """
    release = request.release
    if request.failure.state == LAST:
        _check_open(release, tools)
    stages = [target.name for target in reversed(tools.settings.stages)]
    rollouts = find_rollouts(tools.documents, release, stages)
    spared = restore(
        release,
        rollouts,
        tools.ledger,
        lambda stage: tools.stage(stage).urgent_functions,
        spare=request.failure.error == FOREIGN,
    )
    what, evidence = describe_restore(rollouts, request.failure, spared)
    tools.record(release, "RestoreTraffic", what, key=f"{release.epoch}", evidence=evidence)
    return Response(restored=evidence["restored"])


def _check_open(release: ReleaseRef, tools: Tools) -> None:
    if tools.ledger.release(release).outcome is Outcome.PROMOTED:
        tools.ledger.free_claim(release)
        message = f"release {release.id} of {release.service} is complete; it is not taken back"
        raise ClaimLost(message)


handler = task(Request, handle)
