"""What is let into a stage: artifacts whose bytes a trusted statement about this very release names.

Checked before anything of the stage is touched, and once more right before its stack is updated, on the
copies in the stage's own bucket: it is those that Lambda is given.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tidegate.adapters.attestations import admission_key, read_attested
from tidegate.adapters.plans import read_snapshot
from tidegate.adapters.signing import find_verifiers
from tidegate.adapters.threads import side_by_side
from tidegate.domain.identity import SHORT
from tidegate.domain.provenance import (
    Admission,
    Policy,
    allow_branches,
    check_digest,
    expect_digests,
    find_repository,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidegate.adapters.attestations import Attested
    from tidegate.adapters.documents import Documents
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.snapshots import Snapshot
    from tidegate.task import Tools


def admit(ref: ReleaseRef, stage: str, tools: Tools) -> None:
    """Check the release once for a stage, and record it.

    Raises ProvenanceMissing, SignatureInvalid, ProvenanceRefused or ArtifactAltered: nothing is touched then.
    """
    key = admission_key(ref, stage)
    if tools.documents.exists(key):
        return
    attested, expected = copy_artifacts(ref, stage, tools)
    admission = Admission(
        builder=attested.statement.run.builder.id,
        keyid=attested.keyid,
        commit=attested.statement.source.commit,
        objects=len(expected),
        digests=dict(expected),
    )
    what = (
        f"verified the statement about {admission.commit[:SHORT]} and the bytes of "
        f"{admission.objects:,} artifacts and packages"
    )
    evidence = admission.model_dump(exclude={"digests"})
    tools.record(ref, "ProvisionStage", what, stage=stage, key="admit", evidence=evidence)
    tools.documents.write(key, admission)


def copy_artifacts(ref: ReleaseRef, stage: str, tools: Tools) -> tuple[Attested, Mapping[str, str]]:
    """Bring what the stage's own bucket lacks; raises as `admit` where anything is not as attested."""
    snapshot = read_snapshot(tools.documents, ref)
    keys = find_verifiers(tools.keys, tools.settings.trusted_keys)
    policy = _make_policy(ref, snapshot, tools)
    attested = read_attested(tools.documents, keys, ref.service, ref.id, policy)
    expected = expect_digests(attested.statement, snapshot)
    bring = partial(_bring, tools.documents, tools.stage(stage).documents, expected)
    side_by_side(bring, sorted(expected))
    return attested, expected


def _make_policy(ref: ReleaseRef, snapshot: Snapshot, tools: Tools) -> Policy:
    settings = tools.settings
    return Policy(
        builder=settings.release_machine,
        service=ref.service,
        repository=find_repository(snapshot.commit, settings.origins),
        commit=snapshot.commit.id,
        branches=allow_branches(settings.branches_of(ref.service), snapshot.config.branches),
        invocation=ref.execution,
    )


def _bring(origin: Documents, target: Documents, expected: Mapping[str, str], key: str) -> None:
    """One object; what is wrong is never copied, since a copy is not replaced."""
    found = target.digest(key)
    if found is None:
        check_digest(key, origin.digest(key), expected[key], f"s3://{origin.bucket}")
        target.copy_from(origin, key)
        found = target.digest(key)
    check_digest(key, found, expected[key], f"s3://{target.bucket}")
