"""What `tidegate verify` does: finds statement, keys and bytes, and tells what holds of them.

May not contact anything where all of them are files.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

from tidegate.adapters.attestations import open_statement, read_envelope_of
from tidegate.adapters.healthy import find_healthy
from tidegate.cli.failures import Failed
from tidegate.cli.public_keys import identify, make_verifiers, write_key
from tidegate.cli.releases import find_release
from tidegate.domain.artifacts import archive_key, manifest_key
from tidegate.domain.errors import ArtifactAltered
from tidegate.domain.identity import SHORT
from tidegate.domain.provenance import check_digest, find_subject
from tidegate.domain.statements import SHA256

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

    from tidegate.adapters.attestations import Attested
    from tidegate.cli.pipeline import Pipeline
    from tidegate.domain.provenance import Policy
    from tidegate.domain.statements import Resource, Statement


class Material(NamedTuple):
    """A statement in its envelope, the keys that are trusted, and the release that it was fetched for."""

    body: bytes
    keys: Sequence[EllipticCurvePublicKey]
    release: str = ""

    def open(self, policy: Policy) -> Attested:
        """The statement, if it holds."""
        return open_statement(self.body, make_verifiers(self.keys), policy)

    def save(self, folder: Path, name: str) -> list[Path]:
        """Write everything that a check without the pipeline needs."""
        folder.mkdir(parents=True, exist_ok=True)
        files = {f"{name}.dsse.json": self.body}
        files |= {f"{identify(key)[:SHORT]}.pem": write_key(key) for key in self.keys}
        for file, body in files.items():
            (folder / file).write_bytes(body)
        return [folder / file for file in files]


def fetch_statement(pipeline: Pipeline, service: str, stage: str, release: str | None) -> tuple[bytes, str]:
    """The statement about a release, or the one that is live in a stage, and its id; Failed where none is."""
    if release is not None:
        name = find_release(pipeline.ledger, service, release).ref.id
        return read_envelope_of(pipeline.documents, service, name), name
    healthy = find_healthy(pipeline.ledger, pipeline.documents, service, stage)
    if healthy is None:
        raise Failed(f"nothing of {service} is live in {stage}; name another --stage, or a --release")
    return read_envelope_of(pipeline.documents, service, healthy.label), healthy.label


def find_function(statement: Statement, function: str) -> str:
    """The name of the subject that a function runs; Failed where the statement knows no such function."""
    artifacts = statement.predicate.build_definition.internal_parameters.artifacts
    found = [name for name, environment in artifacts.items() if function in environment.functions]
    if not found:
        known = sorted(name for environment in artifacts.values() for name in environment.functions)
        raise Failed(f"release has no function {function}; it has {', '.join(known[:10]) or 'none'}")
    return found[0]


def check_file(statement: Statement, file: Path, function: str | None) -> str:
    """The name of the subject that a file is; ArtifactAltered where it is none, or another function's."""
    with file.open("rb") as body:
        digest = hashlib.file_digest(body, "sha256").hexdigest()
    if function is None:
        return find_subject(statement, digest)
    name = find_function(statement, function)
    check_digest(name, digest, statement.subjects.get(name, ""), "what was given for")
    return name


def check_stored(statement: Statement, pipeline: Pipeline, name: str) -> str:
    """The same for what lies in the artifact bucket under a subject's name."""
    documents = pipeline.documents
    if name not in statement.subjects:
        raise ArtifactAltered(f"the statement has no subject {name}")
    body = documents.find_bytes(name)
    found = None if body is None else hashlib.sha256(body).hexdigest()
    check_digest(name, found, statement.subjects[name], f"s3://{documents.bucket}")
    return name


def name_artifact(statement: Statement, key: str) -> str:
    """The subject's name of an artifact's key: an image's manifest, else a zip."""
    return manifest_key(key) if manifest_key(key) in statement.subjects else archive_key(key)


def describe(attested: Attested, name: str) -> dict[str, Any]:
    """Everything that was verified of one subject, for programs."""
    statement, keyid = attested
    definition, run = statement.predicate.build_definition, statement.run
    environment = definition.internal_parameters.artifacts.get(name)
    named = {one.name: one for one in (*definition.resolved_dependencies, *run.byproducts)}
    own = {"lock": environment.lock, "sbom": environment.sbom} if environment else {}
    return {
        "verified": True,
        "artifact": name,
        "sha256": statement.subjects[name],
        "functions": list(environment.functions) if environment else [],
        "runtime": environment.runtime if environment else None,
        "architecture": environment.architecture if environment else None,
        **definition.external_parameters.model_dump(),
        "release": definition.internal_parameters.release,
        "builder": run.builder.model_dump(),
        "execution": run.metadata.invocation_id,
        "started": run.metadata.started_on,
        "keyid": keyid,
        "lock": _tell(named.get(own.get("lock"))),
        "sbom": _tell(named.get(own.get("sbom"))),
        "tests": _tell(named.get("tests.json")),
        "audit": _tell(named.get("audit.json")),
    }


def _tell(resource: Resource | None) -> dict[str, Any] | None:
    if resource is None:
        return None
    return {"name": resource.name, SHA256: resource.digest.get(SHA256), **(resource.annotations or {})}
