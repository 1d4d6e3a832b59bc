"""PlanRelease: the deployment plan of every stage, from change sets that CloudFormation computed."""

from __future__ import annotations

from functions.plan_release.audits import tell_audit, tell_imports
from functions.plan_release.preflight import record_preflight
from functions.plan_release.stages import plan_stage, request_change
from tidegate.adapters.documents import release_prefix
from tidegate.adapters.plans import find_plan, read_snapshot, write_plan
from tidegate.domain.errors import ChangeSetsPending
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.domain.plans import Plan
from tidegate.task import Tools, task


class Request(Frozen):
    """The release."""

    release: ReleaseRef


class Response(Frozen):
    """The names of the stages, in order."""

    stages: tuple[str, ...]


def handle(request: Request, tools: Tools) -> Response:
    """Plan all stages; ChangeSetsPending leaves until CloudFormation has computed every change set.

    PreflightRefused leaves once the plan is written, so that it can be read why.
    """
    release = request.release
    tools.ledger.check_epoch(release)
    snapshot = read_snapshot(tools.documents, release)
    names = tuple(target.name for target in tools.settings.stages)
    plan = find_plan(tools.documents, release)
    if plan is None:
        requests = [request_change(release, snapshot, name, tools) for name in names]
        computed = [change for change in requests if change is not None]
        if len(computed) < len(names):
            raise ChangeSetsPending("CloudFormation is still busy with a stack or computes its change set")
        stages = tuple(plan_stage(change, tools) for change in computed)
        plan = Plan(
            service=release.service,
            release_id=release.id,
            commit=snapshot.commit,
            stages=stages,
            notes=(*snapshot.notes, *tell_imports(release, tools)),
            audit=tell_audit(release, tools),
        )
        write_plan(tools.documents, release, plan)
    summary = "; ".join(
        f"{stage.stage}: {len(stage.changes)} resources, {len(stage.functions)} functions"
        for stage in plan.stages
    )
    evidence = {"document": f"s3://{tools.documents.bucket}/{release_prefix(release)}plan.md"}
    tools.record(release, "PlanRelease", f"planned {summary}", evidence=evidence)
    record_preflight(release, plan, tools)
    return Response(stages=names)


handler = task(Request, handle)
