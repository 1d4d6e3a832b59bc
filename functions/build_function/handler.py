"""Builds a share of a snapshot's artifacts, those that do not stand already."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from pydantic import Field

from tidegate.adapters.builds import Builder
from tidegate.adapters.documents import release_prefix
from tidegate.domain.artifacts import record_key
from tidegate.domain.errors import BuildsPending
from tidegate.domain.identity import SHORT, Frozen, ReleaseRef
from tidegate.domain.snapshots import Artifact, Snapshot
from tidegate.domain.wording import list_names
from tidegate.task import Tools, task

if TYPE_CHECKING:
    from tidegate.adapters.documents import Documents

# Of the quarter of an hour that an invocation has; the rest is for the build that is begun last.
LONGEST: Final = timedelta(seconds=400)


class Request(Frozen):
    """The release, and which of its snapshot's builds."""

    release: ReleaseRef
    index: int = Field(ge=0)


class Response(Frozen):
    """How many artifacts the build's share has, and how many of them this call built."""

    artifacts: int
    built: int


def handle(request: Request, tools: Tools) -> Response:
    """Build the share, each record written last; BuildsPending where that takes more than one invocation."""
    prefix, documents, until = release_prefix(request.release), tools.documents, tools.now() + LONGEST
    snapshot = documents.read(f"{prefix}snapshot.json", Snapshot)
    keys, built = snapshot.share(request.index), 0
    with TemporaryDirectory(prefix="tidegate-") as folder:
        builder = Builder(documents, f"{prefix}source.zip", snapshot, Path(folder))
        for number, key in enumerate(keys):
            if tools.now() > until:
                message = f"{len(keys) - number} of {len(keys)} artifacts are still to be built"
                raise BuildsPending(message)
            new = builder.build(key)
            built += new
            _tell(request.release, snapshot, key, documents, tools, new=new)
    return Response(artifacts=len(keys), built=built)


def _tell(
    ref: ReleaseRef, snapshot: Snapshot, key: str, documents: Documents, tools: Tools, *, new: bool
) -> None:
    artifact = documents.read(record_key(key), Artifact)
    names = list_names([one.logical_id for one in snapshot.functions if one.artifact == key])
    what = f"{'built' if new else 'found'} {names}: {artifact.size:,} bytes for {artifact.runtime}"
    evidence = {"artifact": key, "sha256": artifact.sha256, "lock": artifact.lock}
    tools.record(ref, "BuildFunction", what, key=key[:SHORT], evidence=evidence)


handler = task(Request, handle)
