"""PublishVersions: a version of every function that changed, published once and awaited until active."""

from __future__ import annotations

from functions.publish_versions.provisioning import provide
from functions.publish_versions.trials import describe_trial, open_trial
from functions.publish_versions.versions import publish_versions
from tidegate.adapters.plans import find_rollout, read_plan, write_rollout
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.domain.rollouts import first_weight
from tidegate.domain.strategies import ALL
from tidegate.domain.wording import list_names
from tidegate.task import Tools, task


class Request(Frozen):
    """The release and the stage."""

    release: ReleaseRef
    stage: str


class Response(Frozen):
    """How many functions shift, and the weight that they begin with."""

    rolling: int
    first_weight: float


def handle(request: Request, tools: Tools) -> Response:
    """Publish what the plan canaries; a rollout that stands already is what a retry goes on with.

    VersionsPending and ProvisioningPending leave until Lambda is done.
    """
    release, stage = request.release, request.stage
    plan = read_plan(tools.documents, release).stage(stage)
    rollout = find_rollout(tools.documents, release, stage)
    if rollout is None:
        rollout = publish_versions(release, plan, tools)
        write_rollout(tools.documents, release, rollout)
    ready = provide(release, plan, rollout, tools)
    trial = open_trial(release, plan, rollout, tools)
    moves = {f.logical_id: {"stable": f.stable, "canary": f.canary} for f in rollout.functions}
    what = f"published new versions: {list_names(list(moves)) or 'none, nothing to shift'}"
    if ready:
        what += f"; provisioned executions are ready: {list_names(ready)}"
    if rollout.undivided:
        what += (
            f"; role or dead letter queue of {list_names(rollout.undivided)} differ between the versions, "
            "which no alias can hold both: all traffic moves at once"
        )
    said, evidence = describe_trial(trial)
    evidence = {"versions": moves, **evidence}
    tools.record(release, "PublishVersions", what + said, stage=stage, evidence=evidence)
    weight = first_weight(plan.config.rollout, trial.first) if trial and not rollout.undivided else ALL
    return Response(rolling=len(moves), first_weight=weight)


handler = task(Request, handle)
