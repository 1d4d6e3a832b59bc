"""Builds one artifact of a snapshot, unless it stands already."""

from __future__ import annotations

from pydantic import Field

from tidegate.adapters.builds import build_artifact
from tidegate.adapters.documents import release_prefix
from tidegate.domain.artifacts import record_key
from tidegate.domain.identity import SHORT, Frozen, ReleaseRef
from tidegate.domain.snapshots import Artifact, Snapshot
from tidegate.domain.wording import list_names
from tidegate.task import Tools, task


class Request(Frozen):
    """The release, and which of its snapshot's `to_build`."""

    release: ReleaseRef
    index: int = Field(ge=0)


class Response(Frozen):
    """The artifact's content key, and whether this call built it."""

    artifact: str
    built: bool


def handle(request: Request, tools: Tools) -> Response:
    """Build the artifact; its record is written last."""
    prefix, documents = release_prefix(request.release), tools.documents
    snapshot = documents.read(f"{prefix}snapshot.json", Snapshot)
    key = snapshot.to_build[request.index]
    built = build_artifact(documents, f"{prefix}source.zip", snapshot, key)
    artifact = documents.read(record_key(key), Artifact)
    names = list_names([one.logical_id for one in snapshot.functions if one.artifact == key])
    what = f"{'built' if built else 'found'} {names}: {artifact.size:,} bytes for {artifact.runtime}"
    evidence = {"artifact": key, "sha256": artifact.sha256, "lock": artifact.lock}
    tools.record(request.release, "BuildFunction", what, key=key[:SHORT], evidence=evidence)
    return Response(artifact=key, built=built)


handler = task(Request, handle)
