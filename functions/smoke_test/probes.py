"""Which invocations a smoke test makes.

Where the service declares events, the answer itself must be good. Outside production a function without an
event is invoked once with `{}`, which tells only whether it starts: an error that its own code raises on that
event says nothing, an error of the runtime before it says all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tidegate.adapters.aliases import parse_alias
from tidegate.adapters.probing import TENANT, Probe, read_events
from tidegate.adapters.stack_trees import list_resources

if TYPE_CHECKING:
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.plans import StagePlan
    from tidegate.domain.rollouts import Rollout
    from tidegate.domain.snapshots import Snapshot
    from tidegate.task import Tools

START: Final = "a start with {}"


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
        client = tools.stage(plan.stage).cloudformation
        resources = list_resources(client, plan.stack_name, plan.children)
        targets |= {f.logical_id: parse_alias(resources[f.alias_logical_id]) for f in fresh}
    declared = snapshot.config.smoke.get(plan.stage, {})
    bodies = read_events(tools.documents, ref, (p for f in targets for p in declared.get(f, ())))
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
