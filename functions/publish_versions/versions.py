"""One function's new version: published from $LATEST if that is still what the stack update left there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.adapters.aliases import AliasWriter, find_alias, publish, read_version, wake
from tidegate.domain.errors import ForeignChange, SmokeFailed, VersionsPending
from tidegate.domain.rollouts import RollingFunction
from tidegate.domain.wording import list_names

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.plans import FunctionPlan, StagePlan
    from tidegate.task import Tools


def is_divisible(client: LambdaClient, function: RollingFunction) -> bool:
    """Whether the alias can hold both versions: they must have one role and one dead letter queue.

    A stable version that was idle for weeks is woken on the way, so that a rollback finds it Active.
    """
    stable, canary = (
        read_version(client, function.name, version) for version in (function.stable, function.canary)
    )
    if stable.state == "Inactive":
        wake(client, function.name, function.stable)
    return (stable.role, stable.dead_letters) == (canary.role, canary.dead_letters)


def settle_aliases(ref: ReleaseRef, plan: StagePlan, tools: Tools) -> None:
    """Take off what weights somebody else left; each with all traffic on the version that was planned."""
    left = [function for function in plan.canaried if function.left_weights]
    if not left:
        return
    names = list_names([f"{f.logical_id} (version {f.rollback_target})" for f in left])
    found = {f.logical_id: {"version": f.rollback_target, "weights": f.left_weights} for f in left}
    what = f"weights that somebody else left are taken off: {names}"
    tools.record(ref, "PublishVersions", what, stage=plan.stage, key="settle", evidence={"found": found})
    writer = AliasWriter(tools.stage(plan.stage).functions, tools.ledger, ref)
    for function in left:
        writer.settle(function)


def publish_version(client: LambdaClient, plan: FunctionPlan, ref: ReleaseRef) -> RollingFunction | None:
    """The function's move from stable to canary; None where nothing that a version holds has changed.

    Raises VersionsPending until the version is active, SmokeFailed where it never will be, and ForeignChange
    where the alias has two versions already: somebody else's rollout.
    """
    name = plan.function_name
    alias = find_alias(client, name, plan.alias)
    if alias is None or alias.pointing.weights:
        found = "is gone" if alias is None else f"splits its traffic already: {alias.pointing}"
        message = f"alias {name}:{plan.alias} {found}; repair it and retry the release"
        raise ForeignChange(message)
    latest = read_version(client, name, "$LATEST")
    if latest.update == "InProgress":
        message = f"{name} is still being updated"
        raise VersionsPending(message)
    version = publish(client, name, latest.sha256, f"Tidegate: release {ref.id}")
    if version == alias.pointing.version:
        return None
    state = read_version(client, name, version)
    if state.state == "Pending":
        message = f"version {version} of {name} is not active yet"
        raise VersionsPending(message)
    if state.state != "Active":
        message = f"version {version} of {name} is {state.state}: {state.reason}"
        raise SmokeFailed(message)
    return RollingFunction(
        logical_id=plan.logical_id,
        name=name,
        alias=plan.alias,
        stable=alias.pointing.version,
        canary=version,
        log_group=state.log_group,
    )
