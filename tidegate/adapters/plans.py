"""The documents of a release by name: where each lies, and what is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.adapters.documents import Documents, release_prefix, stage_prefix
from tidegate.domain.plans import Plan, render
from tidegate.domain.rollouts import Healthy, Rollout
from tidegate.domain.snapshots import Snapshot

if TYPE_CHECKING:
    from tidegate.adapters.ledger import Ledger
    from tidegate.domain.identity import ReleaseRef


def read_snapshot(documents: Documents, ref: ReleaseRef) -> Snapshot:
    """What CheckOutSource found."""
    return documents.read(f"{release_prefix(ref)}snapshot.json", Snapshot)


def write_plan(documents: Documents, ref: ReleaseRef, plan: Plan) -> None:
    """Store the plan, for programs and for people."""
    documents.write_bytes(f"{release_prefix(ref)}plan.md", render(plan).encode(), "text/markdown")
    documents.write(f"{release_prefix(ref)}plan.json", plan)


def read_plan(documents: Documents, ref: ReleaseRef) -> Plan:
    """What PlanRelease decided."""
    return documents.read(f"{release_prefix(ref)}plan.json", Plan)


def find_plan(documents: Documents, ref: ReleaseRef) -> Plan | None:
    """The plan, or None where the release ended before it."""
    return documents.find(f"{release_prefix(ref)}plan.json", Plan)


def write_rollout(documents: Documents, ref: ReleaseRef, rollout: Rollout) -> None:
    """Store which functions shift in a stage, between which versions."""
    documents.write(f"{stage_prefix(ref, rollout.stage)}rollout.json", rollout)


def find_rollout(documents: Documents, ref: ReleaseRef, stage: str) -> Rollout | None:
    """What PublishVersions decided, or None where the stage did not get that far."""
    return documents.find(f"{stage_prefix(ref, stage)}rollout.json", Rollout)


def healthy_key(stage: str) -> str:
    """Where the ledger points at the last healthy release of a stage."""
    return f"healthy#{stage}"


def find_healthy(ledger: Ledger, documents: Documents, service: str, stage: str) -> Healthy | None:
    """The last healthy state of a stage, or None before the first."""
    pointer = ledger.document(service, healthy_key(stage))
    return None if pointer is None else documents.read(pointer, Healthy)


def forget_healthy(ledger: Ledger, documents: Documents, ref: ReleaseRef, stage: str) -> None:
    """Point back at the healthy state before this release, where the stage had been left already."""
    found = find_healthy(ledger, documents, ref.service, stage)
    if found is not None and found.release_id == ref.id and found.previous is not None:
        ledger.put_document(ref.service, healthy_key(stage), found.previous)


def write_healthy(ledger: Ledger, documents: Documents, ref: ReleaseRef, healthy: Healthy) -> None:
    """Record a stage's healthy state: the document first, then the pointer at it."""
    key = f"{stage_prefix(ref, healthy.stage)}healthy.json"
    documents.write(key, healthy)
    ledger.put_document(ref.service, healthy_key(healthy.stage), key)
