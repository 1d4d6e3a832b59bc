"""What the ledger is told of each artifact of a share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tidegate.domain.artifacts import record_key
from tidegate.domain.identity import SHORT
from tidegate.domain.snapshots import Artifact
from tidegate.domain.wording import list_names

if TYPE_CHECKING:
    from tidegate.adapters.errands import Share
    from tidegate.domain.errands import Build
    from tidegate.task import Tools


def tell_artifact(share: Share, key: str, tools: Tools, build: Build | None, *, new: bool) -> None:
    """Record that an artifact was built or found; `build` is CodeBuild's, where there was one."""
    artifact = tools.documents.read(record_key(key), Artifact)
    names = list_names([one.logical_id for one in share.snapshot.functions if one.artifact == key])
    what = f"{'built' if new else 'found'} {names}: {artifact.size:,} bytes for {artifact.runtime}"
    evidence: dict[str, Any] = {"artifact": key, "sha256": artifact.sha256, "lock": artifact.lock}
    if build is not None:
        what += f", by CodeBuild in {build.seconds} s"
        evidence |= {"build": build.id, "seconds": build.seconds, "built_in": artifact.built_in}
    tools.record(share.ref, "BuildFunction", what, key=key[:SHORT], evidence=evidence)
