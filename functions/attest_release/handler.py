"""AttestRelease: a signed statement of where everything comes from that the release will deploy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.attest_release.statement import attest
from tidegate.adapters.plans import read_snapshot
from tidegate.domain.identity import SHORT, Frozen, ReleaseRef
from tidegate.domain.provenance import statement_key
from tidegate.domain.statements import read_statement
from tidegate.task import Tools, task

if TYPE_CHECKING:
    from tidegate.domain.statements import Statement


class Request(Frozen):
    """The release, whose artifacts are built and tested."""

    release: ReleaseRef


class Response(Frozen):
    """Where the statement lies, how many subjects it has, and the id of the key that signed it."""

    statement: str
    subjects: int
    keyid: str


def handle(request: Request, tools: Tools) -> Response:
    """Sign the statement once; a second call finds the first one's and leaves it as it is."""
    ref = request.release
    tools.ledger.check_epoch(ref)
    envelope = attest(ref, read_snapshot(tools.documents, ref), tools)
    statement, keyid = read_statement(envelope.payload), envelope.signatures[0].keyid
    _tell(ref, statement, keyid, tools)
    key = statement_key(ref.service, ref.id)
    return Response(statement=key, subjects=len(statement.subject), keyid=keyid)


def _tell(ref: ReleaseRef, statement: Statement, keyid: str, tools: Tools) -> None:
    definition = statement.predicate.build_definition
    artifacts = len(definition.internal_parameters.artifacts)
    commit = statement.source.commit[:SHORT]
    what = f"attested {artifacts:,} artifacts of {commit}, signed with the key {keyid[:SHORT]}"
    evidence = {
        "statement": statement_key(ref.service, ref.id),
        "keyid": keyid,
        "builder": statement.run.builder.id,
        "subjects": len(statement.subject),
        "dependencies": len(definition.resolved_dependencies),
        "byproducts": len(statement.run.byproducts),
    }
    tools.record(ref, "AttestRelease", what, evidence=evidence)


handler = task(Request, handle)
