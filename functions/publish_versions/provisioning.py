"""The provisioned concurrency of a stage's versions, asked for and awaited before any traffic shifts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.adapters.provisioning import Provisioner, locate
from tidegate.domain.errors import ProvisioningFailed, ProvisioningPending
from tidegate.domain.provisioning import Act, await_ready, give
from tidegate.domain.wording import list_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.adapters.provisioning import Run
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.plans import StagePlan
    from tidegate.domain.rollouts import Rollout
    from tidegate.task import Tools


def provide(ref: ReleaseRef, plan: StagePlan, rollout: Rollout, tools: Tools) -> list[str]:
    """What is ready, in words; ProvisioningPending leaves until all is, ProvisioningFailed where it fails."""
    if not plan.provisioned:
        return []
    stage = tools.stage(plan.stage)
    items = locate(stage.cloudformation, stage.functions, plan, rollout)
    runs = Provisioner(stage.functions, stage.scaling, tools.ledger, ref).run(items, give)
    pending = [place for run in runs for place in _find_pending(run)]
    if pending:
        message = f"provisioned concurrency is not ready yet: {list_names(pending)}"
        raise ProvisioningPending(message)
    return [
        f"{run.item.wanted} of {run.item.logical_id} version {run.versions.newest}"
        for run in runs
        if run.item.wanted
    ]


def _find_pending(run: Run) -> Iterator[str]:
    """The versions that were asked for just now, or that Lambda still works on."""
    asked = {step.qualifier for step in run.steps if step.act is Act.PUT}
    for version in await_ready(run.item, run.versions):
        place = f"{run.item.function_name}:{version}"
        standing = run.found.get(version)
        if version in asked or standing is None:
            yield place
        elif standing.status == "FAILED":
            message = f"provisioned concurrency of {place} failed: {standing.reason}"
            raise ProvisioningFailed(message)
        elif standing.status != "READY":
            yield place
