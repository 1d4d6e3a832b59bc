"""Follows a release until it ends: gives what the ledger adds, and notices when nobody works on it any more.

Two ways of ending badly leave nothing in the ledger: an execution that never starts, and one that stopped
without being repaired. Both are looked for, so that nobody waits for ever.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from tidegate.cli.failures import Failed
from tidegate.cli.outcomes import EXITS, Exit
from tidegate.domain.ledger import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tidegate.cli.pipeline import Pipeline
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.ledger import Entry, Release

POLL: Final = 1.0
LOOKS_BETWEEN: Final = 5  # polls of the ledger for one look at the executions
START_SECONDS: Final = 60  # from an event to the execution that it starts
REPAIR_SECONDS: Final = 90  # from an execution's end to the repair of what it left


def follow(
    pipeline: Pipeline,
    ref: ReleaseRef,
    show: Callable[[Entry], None],
    *,
    poll: float = POLL,
    repair_seconds: float = REPAIR_SECONDS,
) -> Release:
    """Show each entry once, in the order of time, until the release has ended.

    Failed where its executions have ended and nobody repairs it within `repair_seconds`.
    """
    seen: set[str] = set()
    abandoned_since: float | None = None
    for look in _forever(poll):
        release = pipeline.ledger.release(ref)
        for entry in pipeline.ledger.entries(ref.service, ref.id):
            if entry.key not in seen:
                seen.add(entry.key)
                show(entry)
        if release.outcome is not Outcome.OPEN:
            return release
        if look % LOOKS_BETWEEN == 0:
            ended = find_end(pipeline, ref)
            abandoned_since = (abandoned_since or time.monotonic()) if ended else None
            if abandoned_since is not None and time.monotonic() - abandoned_since >= repair_seconds:
                raise Failed(f"nobody works on {ref.service} {ref.id}: {ended}", Exit.NEEDS_OPERATOR)
    raise AssertionError("unreachable")  # pragma: no cover


def find_end(pipeline: Pipeline, ref: ReleaseRef) -> str:
    """How the execution that holds the release's claim ended; empty while it runs."""
    claim = pipeline.ledger.read_claim(ref.service)
    holder = claim.holder if claim is not None and claim.release.id == ref.id else ref.execution
    found = pipeline.machines.describe_execution(executionArn=holder)
    if found["status"] in {"RUNNING", "PENDING_REDRIVE"}:
        return ""
    detail = ": ".join(filter(None, (found.get("error"), found.get("cause"))))
    return f"{holder.rpartition(':')[2]} ended as {found['status']}{f' ({detail})' if detail else ''}"


def await_release(
    pipeline: Pipeline,
    service: str,
    release_id: str,
    wait: Callable[[str], None],
    *,
    poll: float = POLL,
    start_seconds: float = START_SECONDS,
) -> Release:
    """The release as soon as it is open; `wait` is told once that it waits for its turn.

    Failed where no execution has started after `start_seconds`, or where it ended without a release.
    """
    deadline, told = time.monotonic() + start_seconds, False
    execution = pipeline.execution(f"{service}-{release_id}")
    for _ in _forever(poll):
        found = _find(pipeline, service, release_id)
        if found is not None:
            return found
        status = _status(pipeline, execution)
        if status is None and time.monotonic() > deadline:
            raise Failed(
                f"no release {release_id} of {service} has started after {start_seconds:g} s: is its branch "
                "one that the pipeline releases? The log of tidegate-intake says what became of the event"
            )
        if status not in {None, "RUNNING"}:
            # It may have ended between the two looks.
            if (late := _find(pipeline, service, release_id)) is not None:
                return late
            raise Failed(f"the execution of {service} {release_id} ended as {status} before it was opened")
        if status == "RUNNING" and not told:
            told = True
            wait(f"{service} {release_id} has started; it opens once no other release is under way")
    raise AssertionError("unreachable")  # pragma: no cover


def exit_of(release: Release) -> int:
    """The exit code that tells a release's outcome."""
    return int(EXITS[release.outcome])


def _find(pipeline: Pipeline, service: str, release_id: str) -> Release | None:
    return next((one for one in pipeline.ledger.releases(service) if one.ref.id == release_id), None)


def _status(pipeline: Pipeline, execution: str) -> str | None:
    machines = pipeline.machines
    try:
        return machines.describe_execution(executionArn=execution)["status"]
    except machines.exceptions.ExecutionDoesNotExist:
        return None


def _forever(poll: float) -> Iterator[int]:
    look = 0
    while True:
        yield look
        look += 1
        time.sleep(poll)
