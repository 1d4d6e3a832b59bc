"""PublishVersions: a version of every function that changed, published once and awaited until active."""

from __future__ import annotations

from functions.publish_versions.versions import is_divisible, publish_version, settle_aliases
from tidegate.adapters.plans import find_rollout, read_plan, write_rollout
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.domain.rollouts import ALL, Rollout, first_weight
from tidegate.domain.wording import list_names
from tidegate.task import Tools, task


class Request(Frozen):
    """The release and the stage."""

    release: ReleaseRef
    stage: str


class Response(Frozen):
    """How many functions shift, and the weight that they begin with."""

    rolling: int
    first_weight: int


def handle(request: Request, tools: Tools) -> Response:
    """Publish what the plan canaries; a rollout that stands already is what a retry goes on with."""
    release, stage = request.release, request.stage
    plan = read_plan(tools.documents, release).stage(stage)
    rollout = find_rollout(tools.documents, release, stage)
    if rollout is None:
        tools.ledger.check_epoch(release)
        settle_aliases(release, plan, tools)
        client = tools.stage(stage).functions
        found = (publish_version(client, function, release) for function in plan.canaried)
        functions = tuple(function for function in found if function is not None)
        undivided = tuple(f.logical_id for f in functions if not is_divisible(client, f))
        rollout = Rollout(stage=stage, functions=functions, undivided=undivided)
        write_rollout(tools.documents, release, rollout)
    moves = {f.logical_id: {"stable": f.stable, "canary": f.canary} for f in rollout.functions}
    what = f"published new versions: {list_names(list(moves)) or 'none, nothing to shift'}"
    if rollout.undivided:
        what += (
            f"; role or dead letter queue of {list_names(rollout.undivided)} differ between the versions, "
            "which no alias can hold both: all traffic moves at once"
        )
    tools.record(release, "PublishVersions", what, stage=stage, evidence={"versions": moves})
    return Response(rolling=len(moves), first_weight=ALL if rollout.undivided else first_weight(plan.config))


handler = task(Request, handle)
