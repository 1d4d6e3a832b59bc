"""The chain of a stage's healthy states: a pointer in the ledger, and documents that name the one before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.adapters.documents import Documents, release_prefix, stage_prefix
from tidegate.domain.healthy import GoingBack, Healthy, StackReturn, list_distinct

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.adapters.ledger import Ledger
    from tidegate.domain.identity import ReleaseRef


def healthy_key(stage: str) -> str:
    """Where the ledger points at the last healthy release of a stage."""
    return f"healthy#{stage}"


def _point(ledger: Ledger, service: str, stage: str) -> str | None:
    """The key of the last healthy state's document; None before the first, and where that was taken back."""
    return ledger.document(service, healthy_key(stage)) or None


def find_healthy(ledger: Ledger, documents: Documents, service: str, stage: str) -> Healthy | None:
    """The last healthy state of a stage, or None before the first."""
    pointer = _point(ledger, service, stage)
    return None if pointer is None else documents.read(pointer, Healthy)


def read_chain(
    ledger: Ledger, documents: Documents, service: str, stage: str
) -> Iterator[tuple[str, Healthy]]:
    """The stage's healthy states with their keys, the newest first, as far back as their documents go."""
    key = _point(ledger, service, stage)
    seen: set[str] = set()
    while key is not None and key not in seen:
        seen.add(key)
        healthy = documents.find(key, Healthy)
        if healthy is None:
            return
        yield key, healthy
        key = healthy.previous


def list_ways(
    ledger: Ledger, documents: Documents, service: str, stage: str
) -> dict[str, tuple[str, Healthy]]:
    """The releases that a stage can go back to by id, the one that is live first: key and state of each."""
    chain = read_chain(ledger, documents, service, stage)
    return {healthy.label: (key, healthy) for key, healthy in list_distinct(chain)}


def cut_chain(documents: Documents, key: str, last: Healthy) -> None:
    """Let a chain end with this state; what came before can be gone back to no more."""
    if last.previous is not None:
        documents.write(key, last.model_copy(update={"previous": None}))


def forget_healthy(
    ledger: Ledger, documents: Documents, ref: ReleaseRef, stage: str, under: ReleaseRef
) -> None:
    """Point back at the healthy state before this release, where the stage had been left already.

    `under` is who holds the claim. The pointer is written either way, even where it points at nothing: with
    this epoch on it, a handler of the release that comes to it late cannot move it any more.
    """
    pointer = _point(ledger, ref.service, stage)
    found = None if pointer is None else documents.read(pointer, Healthy)
    back = found.previous if found is not None and found.release_id == ref.id else pointer
    ledger.put_under(under, healthy_key(stage), back or "")


def write_healthy(ledger: Ledger, documents: Documents, ref: ReleaseRef, healthy: Healthy) -> None:
    """Record a stage's healthy state: the document first, then the pointer at it.

    A second run finds its own document at the pointer, and keeps what that calls the one before.
    """
    key = f"{stage_prefix(ref, healthy.stage)}healthy.json"
    pointer = _point(ledger, ref.service, healthy.stage)
    before = documents.find(key, Healthy) if pointer == key else None
    previous = before.previous if before is not None else pointer
    documents.write(key, healthy.model_copy(update={"previous": previous}))
    ledger.put_under(ref, healthy_key(healthy.stage), key)


def write_going_back(documents: Documents, ref: ReleaseRef, going: GoingBack) -> None:
    """Keep an order to go back."""
    documents.write(f"{release_prefix(ref)}going-back.json", going)


def find_going_back(documents: Documents, ref: ReleaseRef) -> GoingBack | None:
    """The order, or None where the release is one of a commit."""
    return documents.find(f"{release_prefix(ref)}going-back.json", GoingBack)


def write_stack_return(documents: Documents, ref: ReleaseRef, stage: str, found: StackReturn) -> None:
    """Keep what became of a stage's stack."""
    documents.write(f"{stage_prefix(ref, stage)}stack-return.json", found)


def find_stack_return(documents: Documents, ref: ReleaseRef, stage: str) -> StackReturn | None:
    """What became of a stage's stack, or None as long as that is not decided."""
    return documents.find(f"{stage_prefix(ref, stage)}stack-return.json", StackReturn)
