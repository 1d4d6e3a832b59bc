"""The documents of a release by name: where each lies, and what is in it.

What restores traffic reads rollouts and no plan: the models of a plan are imported where one is read.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tidegate.adapters.documents import Documents, release_prefix, stage_prefix
from tidegate.adapters.threads import side_by_side
from tidegate.domain.rollouts import Rollout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tidegate.domain.glances import PlanGlance
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.plans import Plan
    from tidegate.domain.snapshots import Snapshot
    from tidegate.domain.undo import Asked


def read_snapshot(documents: Documents, ref: ReleaseRef) -> Snapshot:
    """What CheckOutSource found."""
    from tidegate.domain.snapshots import Snapshot

    return documents.read(f"{release_prefix(ref)}snapshot.json", Snapshot)


def find_snapshot(documents: Documents, service: str, release_id: str) -> Snapshot | None:
    """The same of a release known by its id alone, or None where its documents are gone."""
    from tidegate.domain.snapshots import Snapshot

    return documents.find(f"releases/{service}/{release_id}/snapshot.json", Snapshot)


def read_digests(documents: Documents, ref: ReleaseRef, snapshot: Snapshot) -> dict[str, str]:
    """The SHA-256 (hex) of each image of a release by its artifact, as its manifest has them."""
    from tidegate.domain.manifests import Manifest

    images = {function.artifact for function in snapshot.functions if function.image}
    if not images:
        return {}
    manifest = documents.read(f"{release_prefix(ref)}functions.json", Manifest)
    return {one.artifact: one.sha256 for one in manifest.functions if one.artifact in images}


def write_asked(documents: Documents, ref: ReleaseRef, stage: str, asked: Asked) -> None:
    """Keep what CloudFormation is asked for, before it is."""
    documents.write(f"{stage_prefix(ref, stage)}asked.json", asked)


def find_asked(documents: Documents, ref: ReleaseRef, stage: str) -> Asked | None:
    """The same, or None where nothing was asked for."""
    from tidegate.domain.undo import Asked

    return documents.find(f"{stage_prefix(ref, stage)}asked.json", Asked)


def write_plan(documents: Documents, ref: ReleaseRef, plan: Plan) -> None:
    """Store the plan, for programs and for people."""
    from tidegate.domain.plans import render

    documents.write_bytes(f"{release_prefix(ref)}plan.md", render(plan).encode(), "text/markdown")
    documents.write(f"{release_prefix(ref)}plan.json", plan)


def read_plan(documents: Documents, ref: ReleaseRef) -> Plan:
    """What PlanRelease decided."""
    from tidegate.domain.plans import Plan

    return documents.read(f"{release_prefix(ref)}plan.json", Plan)


def find_plan(documents: Documents, ref: ReleaseRef) -> Plan | None:
    """The plan, or None where the release ended before it."""
    from tidegate.domain.plans import Plan

    return documents.find(f"{release_prefix(ref)}plan.json", Plan)


def find_glance(documents: Documents, ref: ReleaseRef) -> PlanGlance | None:
    """What a diagnosis needs of the plan, or None where the release ended before it."""
    from tidegate.domain.glances import PlanGlance

    return documents.find(f"{release_prefix(ref)}plan.json", PlanGlance)


def write_rollout(documents: Documents, ref: ReleaseRef, rollout: Rollout) -> None:
    """Store which functions shift in a stage, between which versions."""
    documents.write(f"{stage_prefix(ref, rollout.stage)}rollout.json", rollout)


def find_rollout(documents: Documents, ref: ReleaseRef, stage: str) -> Rollout | None:
    """What PublishVersions decided, or None where the stage did not get that far."""
    return documents.find(f"{stage_prefix(ref, stage)}rollout.json", Rollout)


def find_rollouts(documents: Documents, ref: ReleaseRef, stages: Sequence[str]) -> tuple[Rollout, ...]:
    """The rollouts of those stages that have one, in their order; read side by side."""
    found = side_by_side(partial(find_rollout, documents, ref), stages)
    return tuple(rollout for rollout in found if rollout is not None)
