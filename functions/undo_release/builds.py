"""Builds at CodeBuild that a release left running: they are stopped, since nobody waits for them any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.adapters.codebuild import look, stop
from tidegate.adapters.errands import read_waiting
from tidegate.adapters.plans import find_snapshot
from tidegate.domain.errands import ERRANDS

if TYPE_CHECKING:
    from tidegate.domain.identity import ReleaseRef
    from tidegate.task import Tools


def stop_builds(ref: ReleaseRef, tools: Tools) -> None:
    """Stop what still runs. A build whose start was never recorded ends by its own timeout."""
    snapshot = find_snapshot(tools.documents, ref.service, ref.id)
    if snapshot is None or not any(one.method in ERRANDS for one in snapshot.functions):
        return
    waiting = [read_waiting(tools.ledger, ref.service, ref.id, index) for index in range(snapshot.builds)]
    ids = [build for one in waiting for builds in one.builds.values() for build in builds]
    for build in look(tools.builds, ids).values() if ids else ():
        if build.status == "IN_PROGRESS":
            stop(tools.builds, build.id)
            tools.record(ref, "UndoRelease", f"stopped the build {build.id}", key=build.id)
