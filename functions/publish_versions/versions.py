"""The functions' new versions: published from $LATEST if that is still what the stack update left there."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from functions.publish_versions.limits import resolve_limits
from tidegate.adapters.aliases import AliasWriter, find_alias, publish, read_version, wake
from tidegate.adapters.attestations import admission_key
from tidegate.adapters.threads import side_by_side
from tidegate.domain.artifacts import archive_key, manifest_key
from tidegate.domain.errors import ForeignChange, SmokeFailed, VersionsPending
from tidegate.domain.provenance import Admission, check_code, check_image
from tidegate.domain.rollouts import RollingFunction, Rollout
from tidegate.domain.wording import list_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_lambda import LambdaClient

    from tidegate.adapters.aliases import VersionState
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.plans import FunctionPlan, StagePlan
    from tidegate.task import Tools


class Published(NamedTuple):
    """What came of one function: its move, None where nothing that a version holds has changed.

    `revision` is the alias's before, `pending` says what Lambda still works on, and `divisible` whether the
    alias can hold both versions: they must have one role and one dead letter queue.
    """

    moves: RollingFunction | None = None
    revision: str = ""
    pending: str = ""
    divisible: bool = True


def publish_versions(ref: ReleaseRef, plan: StagePlan, tools: Tools) -> Rollout:
    """The moves of all functions that the plan canaries.

    All are published before VersionsPending leaves: what Lambda works on, it works on side by side.
    """
    tools.ledger.check_epoch(ref)
    settle_aliases(ref, plan, tools)
    client, expected = tools.stage(plan.stage).functions, _read_expected(ref, plan, tools)
    found = side_by_side(partial(publish_version, client, ref=ref, expected=expected), plan.canaried)
    if pending := [one.pending for one in found if one.pending]:
        raise VersionsPending(list_names(pending))
    moving = [(one, one.moves) for one in found if one.moves is not None]
    return Rollout(
        stage=plan.stage,
        functions=tuple(moves for _, moves in moving),
        undivided=tuple(moves.logical_id for one, moves in moving if not one.divisible),
        revisions={moves.logical_id: one.revision for one, moves in moving},
        limits=resolve_limits(plan, tools),
    )


def _read_expected(ref: ReleaseRef, plan: StagePlan, tools: Tools) -> Mapping[str, str]:
    """The SHA-256 (hex) that was attested of each artifact, by its archive's key; inline code has none."""
    if not any(function.artifact for function in plan.canaried):
        return {}
    return tools.documents.read(admission_key(ref, plan.stage), Admission).digests


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


def publish_version(
    client: LambdaClient, plan: FunctionPlan, ref: ReleaseRef, expected: Mapping[str, str]
) -> Published:
    """The function's move from stable to canary, by two calls that Lambda's quota counts.

    Raises SmokeFailed where the version never will be active, ForeignChange where the alias has two versions
    already: somebody else's rollout, and ArtifactAltered where Lambda has other code than was attested:
    between the last look at the stage's bucket and Lambda's own reading it may have been replaced.
    """
    name = plan.function_name
    alias = find_alias(client, name, plan.alias)
    if alias is None or alias.pointing.weights:
        found = "is gone" if alias is None else f"splits its traffic already: {alias.pointing}"
        message = f"alias {name}:{plan.alias} {found}; repair it and retry the release"
        raise ForeignChange(message)
    latest = read_version(client, name, "$LATEST")
    if latest.update == "InProgress":
        return Published(pending=f"{name} is still being updated")
    if plan.artifact:
        _check_content(name, latest, plan.artifact, expected)
    canary = publish(client, name, latest.sha256, f"Tidegate: release {ref.id}")
    if canary.version == alias.pointing.version:
        return Published()
    if canary.state != "Active":
        canary = read_version(client, name, canary.version)
    if canary.state == "Pending":
        return Published(pending=f"version {canary.version} of {name} is not active yet")
    if canary.state != "Active":
        message = f"version {canary.version} of {name} is {canary.state}: {canary.reason}"
        raise SmokeFailed(message)
    moves = RollingFunction(
        logical_id=plan.logical_id,
        name=name,
        alias=plan.alias,
        stable=alias.pointing.version,
        canary=canary.version,
        log_group=canary.log_group,
        wave=plan.wave,
    )
    return Published(moves, alias.revision, divisible=_is_divisible(client, moves, canary))


def _check_content(name: str, latest: VersionState, artifact: str, expected: Mapping[str, str]) -> None:
    """ArtifactAltered where Lambda has another zip, or another image, than was attested."""
    image = expected.get(manifest_key(artifact))
    if image is None:
        check_code(name, latest.sha256, expected[archive_key(artifact)])
    else:
        check_image(name, latest.image, image)


def _is_divisible(client: LambdaClient, function: RollingFunction, canary: VersionState) -> bool:
    """A stable version that was idle for weeks is woken on the way, so that a rollback finds it Active."""
    stable = read_version(client, function.name, function.stable)
    if stable.state == "Inactive":
        wake(client, function.name, function.stable)
    return (stable.role, stable.dead_letters) == (canary.role, canary.dead_letters)
