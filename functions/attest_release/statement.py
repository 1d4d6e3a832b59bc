"""The release's statement: made of what stands, signed, and written once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate import __version__
from tidegate.adapters.attestations import gather_evidence
from tidegate.adapters.signing import sign
from tidegate.domain.artifacts import BUILDER, Method
from tidegate.domain.bundles import ESBUILD
from tidegate.domain.dsse import read_envelope, write_envelope
from tidegate.domain.provenance import (
    allow_branches,
    check_branch,
    describe_release,
    find_repository,
    statement_key,
)
from tidegate.domain.statements import PAYLOAD_TYPE, Builder, write_statement

if TYPE_CHECKING:
    from tidegate.domain.dsse import Envelope
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.snapshots import Snapshot
    from tidegate.domain.statements import Statement
    from tidegate.task import Tools


def attest(ref: ReleaseRef, snapshot: Snapshot, tools: Tools) -> Envelope:
    """The statement that stands; signed now where there is none. Of two that sign at once one is kept.

    Raises ProvenanceRefused where the commit's branch may not be deployed, and what `gather_evidence` raises.
    """
    documents, key = tools.documents, statement_key(ref.service, ref.id)
    branches = tools.settings.branches_of(ref.service)
    check_branch(snapshot.commit.branch, allow_branches(branches, snapshot.config.branches))
    body = documents.find_bytes(key)
    if body is None:
        payload = write_statement(_describe(ref, snapshot, tools))
        body = write_envelope(sign(tools.keys, tools.settings.signing_key, PAYLOAD_TYPE, payload))
        if not documents.write_bytes_once(key, body):
            body = documents.find_bytes(key) or body
    return read_envelope(body)


def _describe(ref: ReleaseRef, snapshot: Snapshot, tools: Tools) -> Statement:
    digests, locks, verdicts = gather_evidence(tools.documents, ref, snapshot)
    versions = {"tidegate": __version__, "artifacts": BUILDER}
    if any(function.method is Method.ESBUILD for function in snapshot.functions):
        versions["esbuild"] = ESBUILD
    builder = Builder(id=tools.settings.release_machine, version=versions)
    repository = find_repository(snapshot.commit, tools.settings.origins)
    return describe_release(ref, snapshot, builder, repository, digests, locks, verdicts)
