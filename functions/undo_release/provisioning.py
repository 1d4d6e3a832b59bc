"""Provisioned concurrency on the way back: the versions that are left lose it, the others have it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.adapters.healthy import find_healthy
from tidegate.adapters.plans import find_rollout
from tidegate.adapters.provisioning import Provisioner, locate
from tidegate.domain.healthy import Healthy
from tidegate.domain.provisioning import Provisioning, Versions, go_back, undo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.domain.healthy import GoingBack
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.plans import StagePlan
    from tidegate.task import Tools


def undo_provisioning(ref: ReleaseRef, plan: StagePlan, tools: Tools, under: ReleaseRef) -> None:
    """As it was before the release; nothing where it gave none, since it gives some after the rollout stands.

    The stack comes after this: an alias is given none by its template while its version has its own.
    """
    rollout = find_rollout(tools.documents, ref, plan.stage) if plan.provisioned else None
    if rollout is None:
        return
    items = locate(tools.stage(plan.stage).cloudformation, tools.stage(plan.stage).functions, plan, rollout)
    _provisioner(under, plan.stage, tools).run(items, undo)


def return_provisioning(ref: ReleaseRef, going: GoingBack, tools: Tools) -> None:
    """What an order goes back to has what it was given then; what it leaves has none."""
    for stage, key in going.healthy.items():
        now = find_healthy(tools.ledger, tools.documents, ref.service, stage)
        items = list(_list_returns(ref, stage, tools.documents.read(key, Healthy), now, tools))
        if items:
            _provisioner(ref, stage, tools).run(items, go_back)


def _list_returns(
    ref: ReleaseRef, stage: str, target: Healthy, now: Healthy | None, tools: Tools
) -> Iterator[tuple[Provisioning, Versions]]:
    """For each version that is left, those of an unfinished release too; once where none is."""
    rollout = find_rollout(tools.documents, ref, stage)
    canaries = {function.logical_id: function.canary for function in (rollout.functions if rollout else ())}
    current = now.provided if now else {}
    for key, function in target.functions.items():
        wanted, has = target.provided.get(key), current.get(key)
        if wanted is None and has is None:
            continue
        item = Provisioning(
            logical_id=key,
            alias_logical_id="",
            function_name=function.name,
            alias=function.alias,
            wanted=wanted.amount if wanted else 0,
            scaling=wanted.scaling if wanted else None,
            previous=has.scaling if has else None,
        )
        left = {canaries.get(key, ""), (now.versions if now else {}).get(key, "")} - {"", function.version}
        for version in sorted(left) or [""]:
            yield item, Versions(stable=function.version, canary=version)


def _provisioner(ref: ReleaseRef, stage: str, tools: Tools) -> Provisioner:
    of_stage = tools.stage(stage)
    return Provisioner(of_stage.functions, of_stage.scaling, tools.ledger, ref)
