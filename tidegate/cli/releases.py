"""Finding the release that a user means, and where a release stands."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from tidegate.domain.identity import release_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tidegate.adapters.ledger import Ledger
    from tidegate.domain.identity import Commit
    from tidegate.domain.ledger import Entry, Release

SHORTEST: Final = 4  # digits of a commit id that may stand for it
NAMED: Final = 5  # releases that an error names


def find_release(ledger: Ledger, service: str, wanted: str | None = None) -> Release:
    """The newest release, or the newest whose id or commit `wanted` begins; LookupError where there is none.

    A commit may be shortened, as with git; a release's id is `<commit>-<attempt>`.
    """
    known = []
    for release in ledger.releases(service):
        if wanted is None or matches(release, wanted):
            return release
        known.append(release.ref.id)
    if not known:
        raise never_released(ledger, service)
    raise LookupError(f"{service} has no release {wanted}; the last ones are {', '.join(known[:NAMED])}")


def never_released(ledger: Ledger, service: str) -> LookupError:
    """The error for a service that the ledger does not know; it names those that it knows."""
    names = ", ".join(ledger.services()) or "none yet"
    return LookupError(f"{service} has never been released; released services: {names}")


def matches(release: Release, wanted: str) -> bool:
    """Whether a user's word means this release."""
    if release.ref.id == wanted:
        return True
    return len(wanted) >= SHORTEST and release.commit.id.startswith(wanted.lower())


def next_attempt(ledger: Ledger, commit: Commit) -> int:
    """The number of the next attempt to release a commit: one after all that were ever opened.

    A release that still waits for its turn is not recorded as one yet; only its reservation stands.
    """
    attempts = [one.attempt for one in ledger.releases(commit.service) if one.commit.id == commit.id]
    attempt = max(attempts, default=0) + 1
    while ledger.document(commit.service, f"opened#{release_id(commit, attempt)}") is not None:
        attempt += 1
    return attempt


def newest(ledger: Ledger, service: str, count: int) -> list[Release]:
    """The newest releases of a service, newest first."""
    return list(islice(ledger.releases(service), count))


def last_stage(entries: Iterable[Entry]) -> str:
    """The stage that a release has come to; empty before the first."""
    return next((entry.stage for entry in reversed(list(entries)) if entry.stage), "")
