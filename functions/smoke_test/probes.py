"""Which invocations a smoke test makes, and what of their answers is a failure.

Where the service declares events, the answer itself must be good. Outside production a function without an
event is invoked once with `{}`, which tells only whether it starts: an error that its own code raises on that
event says nothing, an error of the runtime before it says all.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any, Final

from tidegate.adapters.aliases import parse_alias
from tidegate.adapters.documents import release_prefix
from tidegate.adapters.stacks import list_resources
from tidegate.domain.errors import InvalidConfiguration
from tidegate.domain.identity import Frozen

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.plans import StagePlan
    from tidegate.domain.rollouts import Rollout
    from tidegate.domain.snapshots import Snapshot
    from tidegate.task import Tools

START: Final = "a start with {}"
TENANT: Final = "tidegate-smoke"  # of functions whose environments are kept apart by tenant
SERVER_ERROR: Final = 500
# What the runtime reports before any of the function's own code has handled the event.
START_ERRORS: Final = ("Runtime.", "Sandbox.", "Extension.")


class Probe(Frozen):
    """One invocation; `strict` where the answer itself must be good, `tenant` where it must name one."""

    function: str
    physical: str
    qualifier: str
    name: str
    payload: bytes
    strict: bool
    tenant: str = ""


def choose_probes(
    plan: StagePlan, rollout: Rollout, snapshot: Snapshot, ref: ReleaseRef, tools: Tools
) -> tuple[Probe, ...]:
    """The probes of all functions that this release changes or brings in this stage.

    One that gets no new version is probed behind its alias: it is new, or no release has left the stage
    with it.
    """
    targets = {f.logical_id: (f.name, f.canary) for f in rollout.functions}
    fresh = [f for f in plan.functions if f.logical_id not in targets]
    if fresh:
        resources = list_resources(tools.stage(plan.stage).cloudformation, plan.stack_name)
        targets |= {f.logical_id: parse_alias(resources[f.alias_logical_id]) for f in fresh}
    declared = snapshot.config.smoke.get(plan.stage, {})
    wanted = sorted({path for function in targets for path in declared.get(function, ())})
    bodies = _read_events(wanted, ref, tools)
    tenants = {f.logical_id: TENANT for f in plan.functions if f.tenants}
    probes: list[Probe] = []
    for function, (physical, qualifier) in sorted(targets.items()):
        common = {"function": function, "physical": physical, "qualifier": qualifier}
        common |= {"tenant": tenants.get(function, "")}
        probes += [
            Probe(**common, name=path, payload=bodies[path], strict=True)
            for path in declared.get(function, ())
        ]
        if not declared.get(function) and not plan.production:
            probes.append(Probe(**common, name=START, payload=b"{}", strict=False))
    return tuple(probes)


def _read_events(paths: list[str], ref: ReleaseRef, tools: Tools) -> dict[str, bytes]:
    if not paths:
        return {}
    source = tools.documents.find_bytes(f"{release_prefix(ref)}source.zip") or b""
    with zipfile.ZipFile(io.BytesIO(source)) as archive:
        names = set(archive.namelist())
        for path in paths:
            if path not in names:
                message = f"smoke: the event {path} is not in the repository"
                raise InvalidConfiguration(message, file="tidegate.yaml")
        return {path: archive.read(path) for path in paths}


def invoke(client: LambdaClient, probe: Probe) -> str:
    """What was wrong with the answer; empty where it was good."""
    tenant: Any = {"TenantId": probe.tenant} if probe.tenant else {}
    answer = client.invoke(
        FunctionName=probe.physical, Qualifier=probe.qualifier, Payload=probe.payload, **tenant
    )
    body = json.loads(answer["Payload"].read() or b"null")
    if "FunctionError" in answer:
        kind = str(body.get("errorType", "")) if isinstance(body, dict) else ""
        message = body.get("errorMessage", body) if isinstance(body, dict) else body
        if probe.strict or kind.startswith(START_ERRORS) or _is_of_init(body):
            return f"{kind}: {message}"
        return ""
    status = body.get("statusCode") if isinstance(body, dict) else None
    if probe.strict and isinstance(status, int) and status >= SERVER_ERROR:
        return f"it answered with status {status}"
    return ""


def _is_of_init(body: object) -> bool:
    """Whether an error left the module and not its handler: the Python runtime knows no request then."""
    return isinstance(body, dict) and body.get("requestId") == ""
