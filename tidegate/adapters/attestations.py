"""Statements about releases: what they are made of is gathered, and one that stands is read and checked."""

from __future__ import annotations

import hashlib
import posixpath
from typing import TYPE_CHECKING, Final, NamedTuple

from tidegate.adapters.documents import release_prefix, stage_prefix
from tidegate.adapters.lock_files import parse_lock
from tidegate.adapters.module_locks import find_platform
from tidegate.adapters.threads import side_by_side
from tidegate.domain.artifacts import platform, python_version, record_key
from tidegate.domain.bills import bill_key, read_subject
from tidegate.domain.dsse import open_envelope, read_envelope
from tidegate.domain.errors import ArtifactAltered, ProvenanceMissing, ProvenanceRefused
from tidegate.domain.locks import Lock, Target
from tidegate.domain.module_locks import choose_modules
from tidegate.domain.provenance import check_digest, check_statement, list_bills, list_deployed, statement_key
from tidegate.domain.snapshots import Artifact
from tidegate.domain.statements import PAYLOAD_TYPE, SHA256, Resource, read_statement
from tidegate.domain.testing import SandboxResult, check

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidegate.adapters.documents import Documents
    from tidegate.domain.dsse import Verifier
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.provenance import Policy
    from tidegate.domain.snapshots import Snapshot, TestsSnapshot
    from tidegate.domain.statements import Statement

# What a release was let pass by, below its prefix; some of them need not stand.
VERDICTS: Final = ("tests.json", "tests/report.xml", "tests/output.txt", "imports.json", "audit.json")


class Evidence(NamedTuple):
    """What a statement is made of: SHA-256 (hex) by key, locks by key, and the verdicts as byproducts."""

    digests: dict[str, str]
    locks: dict[str, list[Lock]]
    verdicts: list[Resource]


class Attested(NamedTuple):
    """A statement that holds, and the id of a trusted key that signed it."""

    statement: Statement
    keyid: str


def gather_evidence(documents: Documents, ref: ReleaseRef, snapshot: Snapshot) -> Evidence:
    """Everything that is said of a release, as it stands.

    Raises ArtifactAltered where an artifact or its bill is not what the record says, and TestsFailed or
    ProvenanceRefused where the tests did not pass.
    """
    keys = [*list_deployed(snapshot), *list_bills(snapshot)]
    found = zip(keys, side_by_side(documents.digest, keys), strict=True)
    digests = {key: digest for key, digest in found if digest is not None}
    _check_records(documents, snapshot, digests)
    hashes, locks = _read_locks(documents, snapshot)
    return Evidence(digests | hashes, locks, _list_verdicts(documents, ref, snapshot.tests))


def _check_records(documents: Documents, snapshot: Snapshot, digests: Mapping[str, str]) -> None:
    place = f"s3://{documents.bucket}"
    objects = {function.artifact: function.object_key for function in snapshot.functions}
    artifacts = sorted(objects)
    records = side_by_side(lambda key: documents.find(record_key(key), Artifact), artifacts)
    for artifact, record in zip(artifacts, records, strict=True):
        if record is None:
            raise ArtifactAltered(f"{place}/{record_key(artifact)} does not exist any more")
        key = objects[artifact]
        check_digest(key, digests.get(key), record.sha256, place)
        check_digest(record.bill, digests.get(record.bill), record.bill_sha256, place)
    for key in sorted({package.key for package in snapshot.packages}):
        _check_package(documents, key, digests.get(key), place)


def _check_package(documents: Documents, key: str, digest: str | None, place: str) -> None:
    """A package is named by its own hash; a layer that was built, by its inputs: its bill tells its hash."""
    named = posixpath.basename(key).partition(".")[0]
    if digest is None or digest == named:
        check_digest(key, digest, named, place)
        return
    bill = documents.find_bytes(bill_key(key))
    if bill is None or read_subject(bill) != digest:
        raise ArtifactAltered(f"{place}/{key} has the SHA-256 {digest}, which is not that of what was built")


def _read_locks(documents: Documents, snapshot: Snapshot) -> tuple[dict[str, str], dict[str, list[Lock]]]:
    """The hashes and the contents of all locks; one may serve several targets."""
    functions = snapshot.functions
    wanted = sorted({(one.lock, one.runtime, one.architecture, one.member) for one in functions if one.lock})
    keys = sorted({key for key, *_ in wanted})
    texts = dict(zip(keys, side_by_side(documents.find_bytes, keys), strict=True))
    locks: dict[str, list[Lock]] = {key: [] for key in keys}
    for key, runtime, architecture, member in wanted:
        text = _present(key, texts[key]).decode()
        if runtime.startswith("python"):
            target = Target(python_version(runtime), platform(runtime, architecture))
            locks[key].append(parse_lock(text, key, target, sources=True))
        else:
            chosen = choose_modules(text, key, find_platform(architecture), member)
            locks[key].append(Lock(modules=chosen))
    return {key: hashlib.sha256(_present(key, text)).hexdigest() for key, text in texts.items()}, locks


def _present(key: str, text: bytes | None) -> bytes:
    if text is None:
        message = f"{key} does not exist"
        raise LookupError(message)
    return text


def _list_verdicts(documents: Documents, ref: ReleaseRef, tests: TestsSnapshot | None) -> list[Resource]:
    """Those verdicts that stand, by their digests; that of the tests must be good."""
    prefix = release_prefix(ref)
    summary = _check_tests(documents, f"{prefix}tests.json", tests)
    found = side_by_side(documents.digest, [prefix + name for name in VERDICTS])
    return [
        Resource(
            name=name,
            uri=f"s3://{documents.bucket}/{prefix}{name}",
            digest={SHA256: digest},
            annotations={"summary": summary} if name == "tests.json" else None,
        )
        for name, digest in zip(VERDICTS, found, strict=True)
        if digest is not None
    ]


def _check_tests(documents: Documents, key: str, tests: TestsSnapshot | None) -> str:
    if tests is None:
        return ""
    result = documents.find(key, SandboxResult)
    if result is None:
        raise ProvenanceRefused(f"the tests have no verdict: s3://{documents.bucket}/{key} does not exist")
    return check(result, tests.command, tests.timeout)


def admission_key(ref: ReleaseRef, stage: str) -> str:
    """Where it is kept that a release was let into a stage."""
    return f"{stage_prefix(ref, stage)}admission.json"


def read_attested(
    documents: Documents, keys: Mapping[str, Verifier], service: str, release_id: str, policy: Policy
) -> Attested:
    """The statement about a release, if it is signed by one of the keys and what the policy asks for.

    Raises ProvenanceMissing, SignatureInvalid or ProvenanceRefused.
    """
    return open_statement(read_envelope_of(documents, service, release_id), keys, policy)


def read_envelope_of(documents: Documents, service: str, release_id: str) -> bytes:
    """A release's statement as it lies, in its envelope; ProvenanceMissing where there is none."""
    key = statement_key(service, release_id)
    body = documents.find_bytes(key)
    if body is None:
        raise ProvenanceMissing(f"release {release_id} has no statement: no s3://{documents.bucket}/{key}")
    return body


def open_statement(body: bytes, keys: Mapping[str, Verifier], policy: Policy) -> Attested:
    """The statement in an envelope, checked as above."""
    envelope = read_envelope(body)
    signers = open_envelope(envelope, keys, (PAYLOAD_TYPE,))
    statement = read_statement(envelope.payload)
    check_statement(statement, policy)
    return Attested(statement, min(signers))
