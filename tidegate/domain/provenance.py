"""What the statement about a release says, and what it must say to be taken; pure.

One statement has everything that a release deploys among its subjects: artifacts that it built and artifacts
that stood already, since their content key says of both that this commit gives them, and it was this commit
whose tests passed. So whoever checks a release checks one signature.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict

from tidegate.domain.bills import bill_key, make_purl
from tidegate.domain.errors import ArtifactAltered, ProvenanceRefused
from tidegate.domain.statements import (
    SHA256,
    BuildDefinition,
    Builder,
    Environment,
    Internal,
    Metadata,
    Predicate,
    Resource,
    RunDetails,
    Source,
    Statement,
)
from tidegate.domain.wording import list_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tidegate.domain.identity import Commit, ReleaseRef
    from tidegate.domain.locks import Lock
    from tidegate.domain.origins import Origins
    from tidegate.domain.snapshots import FunctionSnapshot, Snapshot

# What the external parameters mean: docs/guide/provenance.md. To be raised when they mean something else.
BUILD_TYPE: Final = "urn:tidegate:lambda-release:v1"


class Policy(BaseModel):
    """What a statement must say to be taken; None where anything will do. `branches` are those allowed."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    builder: str | None = None
    service: str | None = None
    repository: str | None = None
    commit: str | None = None
    branches: tuple[str, ...] | None = None
    invocation: str | None = None


class Admission(BaseModel):
    """That a release was let into a stage; `digests`: the SHA-256 (hex) that its statement names, by key."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    builder: str
    keyid: str
    commit: str
    objects: int
    digests: dict[str, str]


def statement_key(service: str, release_id: str) -> str:
    """Where a release's statement lies, in its envelope; it is written once and outlives the release."""
    return f"attestations/{service}/{release_id}.dsse.json"


def hash_text(text: str) -> str:
    """SHA-256 (hex) of a text as UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def template_name(file: str) -> str:
    """The name of a template among the subjects; no key of the artifact bucket begins like that."""
    return f"source/{file}"


def list_deployed(snapshot: Snapshot) -> list[str]:
    """The keys of everything that a release copies to its stages, each once, sorted."""
    artifacts = {function.object_key for function in snapshot.functions}
    return sorted(artifacts | {package.key for package in snapshot.packages})


def list_bills(snapshot: Snapshot) -> list[str]:
    """The keys of the bills of materials that there may be: artifacts have one, and layers."""
    return [bill_key(key) for key in list_deployed(snapshot)]


def describe_release(
    ref: ReleaseRef,
    snapshot: Snapshot,
    builder: Builder,
    repository: str,
    digests: Mapping[str, str],
    locks: Mapping[str, Iterable[Lock]],
    verdicts: Iterable[Resource],
) -> Statement:
    """The statement about a release.

    `digests` has the SHA-256 (hex) of each deployed object, lock and bill of materials by key; a bill without
    one there does not stand. `locks` are by key, one for each target. `verdicts` are byproducts.
    """
    deployed = [_named(key, digests[key]) for key in list_deployed(snapshot)]
    templates = [_named(template_name(file), hash_text(text)) for file, text in snapshot.texts.items()]
    bills = tuple(_named(key, digests[key]) for key in list_bills(snapshot) if key in digests)
    commit = snapshot.commit
    source = Source(service=commit.service, repository=repository, branch=commit.branch, commit=commit.id)
    definition = BuildDefinition(
        build_type=BUILD_TYPE,
        external_parameters=source,
        internal_parameters=Internal(release=ref.id, artifacts=_describe_artifacts(snapshot, digests)),
        resolved_dependencies=(
            Resource(name="source", uri=repository, digest={"gitCommit": commit.id}),
            *(_named(key, digests[key]) for key in sorted(locks)),
            *_list_bases(snapshot),
            *_list_wheels(locks),
            *_list_modules(locks),
            *_list_sources(locks),
        ),
    )
    metadata = Metadata(invocation_id=ref.execution, started_on=_tell_time(ref.opened_at))
    run = RunDetails(builder=builder, metadata=metadata, byproducts=(*verdicts, *bills))
    predicate = Predicate(build_definition=definition, run_details=run)
    return Statement(subject=(*deployed, *templates), predicate=predicate)


def _tell_time(moment: datetime) -> str:
    """A moment as SLSA writes it: RFC 3339, UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _named(key: str, digest: str) -> Resource:
    return Resource(name=key, digest={SHA256: digest})


def find_repository(commit: Commit, origins: Origins) -> str:
    """Where a commit's source comes from, as a URI: its bundle, else the service's repository."""
    if commit.bundle is not None:
        return f"s3://{commit.bundle.bucket}/{commit.bundle.key}"
    origin = origins.of_service(commit.service)
    if origin is None:
        return f"urn:tidegate:service:{commit.service}"
    return f"git+{origins.url}/{origin.name}" if origin.host == "github" else f"codecommit://{origin.name}"


def _describe_artifacts(snapshot: Snapshot, digests: Mapping[str, str]) -> dict[str, Environment]:
    users: dict[str, list[FunctionSnapshot]] = {}
    for function in snapshot.functions:
        users.setdefault(function.object_key, []).append(function)
    return {
        key: Environment(
            functions=tuple(function.logical_id for function in functions),
            runtime=functions[0].runtime,
            architecture=functions[0].architecture,
            method=functions[0].method,
            lock=functions[0].lock or None,
            image=functions[0].built_in or None,
            sbom=bill if (bill := bill_key(key)) in digests else None,
        )
        for key, functions in users.items()
    }


def _list_bases(snapshot: Snapshot) -> list[Resource]:
    """The images that images begin from, each once."""
    found = {one.image.digest: one.image for one in snapshot.functions if one.image}
    return [
        Resource(name=one.base, uri=make_purl("oci", one.repository, digest), digest={SHA256: digest[7:]})
        for digest, one in sorted(found.items())
    ]


def _list_wheels(locks: Mapping[str, Iterable[Lock]]) -> list[Resource]:
    """The wheels of all locks, each once; as purls, since addresses may hold a registry's secrets."""
    wheels = {wheel.sha256: wheel for found in locks.values() for lock in found for wheel in lock.wheels}
    return [
        Resource(name=one.filename, uri=make_purl("pypi", one.name, one.version), digest={SHA256: one.sha256})
        for one in sorted(wheels.values(), key=lambda one: (one.filename, one.sha256))
    ]


def _list_modules(locks: Mapping[str, Iterable[Lock]]) -> list[Resource]:
    """Node's packages of all locks, each tarball once."""
    modules = {one.sha512: one for found in locks.values() for lock in found for one in lock.modules}
    return [
        Resource(
            name=f"{one.name}-{one.version}.tgz",
            uri=make_purl("npm", one.name, one.version),
            digest={"sha512": one.sha512},
        )
        for one in sorted(modules.values(), key=lambda one: (one.name, one.version, one.sha512))
        if one.sha512
    ]


def _list_sources(locks: Mapping[str, Iterable[Lock]]) -> list[Resource]:
    """What CodeBuild makes wheels of, each once."""
    sources = {one.identity: one for found in locks.values() for lock in found for one in lock.sources}
    return [
        Resource(
            name=f"{one.name}-{one.version}" if one.version else one.name,
            uri=make_purl("pypi", one.name, one.version),
            digest={"gitCommit": one.commit} if one.commit else {SHA256: one.sha256},
        )
        for one in sorted(sources.values(), key=lambda one: (one.name, one.identity))
    ]


def check_statement(statement: Statement, policy: Policy) -> None:
    """ProvenanceRefused where the statement is not what the policy asks for."""
    definition, source, run = statement.predicate.build_definition, statement.source, statement.run
    if definition.build_type != BUILD_TYPE:
        raise ProvenanceRefused(f"the statement is about a build of another kind: {definition.build_type}")
    for what, said, wanted in (
        ("by the builder", run.builder.id, policy.builder),
        ("about the service", source.service, policy.service),
        ("about the repository", source.repository, policy.repository),
        ("about the commit", source.commit, policy.commit),
        ("of the execution", run.metadata.invocation_id, policy.invocation),
    ):
        if wanted is not None and said != wanted:
            raise ProvenanceRefused(f"the statement is {what} {said}, not {wanted}")
    if policy.branches is not None:
        check_branch(source.branch, policy.branches)


def allow_branches(pipeline: Iterable[str], service: Iterable[str]) -> tuple[str, ...]:
    """The branches that may be deployed: the pipeline's; where the service names some, those of them."""
    chosen = set(service)
    return tuple(sorted(name for name in pipeline if not chosen or name in chosen))


def check_branch(branch: str, allowed: Iterable[str]) -> None:
    """ProvenanceRefused where commits of a branch may not be deployed."""
    if branch not in (names := tuple(allowed)):
        may = list_names(names) or "none"
        raise ProvenanceRefused(f"commits of branch {branch} may not be deployed (allowed: {may})")


def expect_digests(statement: Statement, snapshot: Snapshot) -> dict[str, str]:
    """The SHA-256 (hex) that each deployed object must have, by key.

    ArtifactAltered where one of them is no subject of the statement, ProvenanceRefused where a template is
    not the one that was attested.
    """
    subjects = statement.subjects
    for file, text in snapshot.texts.items():
        if subjects.get(template_name(file)) != hash_text(text):
            raise ProvenanceRefused(f"the template {file} is not the one that was attested")
    deployed = list_deployed(snapshot)
    if foreign := [key for key in deployed if not subjects.get(key)]:
        raise ArtifactAltered(f"nobody attested {list_names(foreign)}")
    return {key: subjects[key] for key in deployed}


def check_digest(key: str, found: str | None, expected: str, place: str) -> None:
    """ArtifactAltered where an object's bytes are not those that were attested, or where it is gone."""
    if found is None:
        raise ArtifactAltered(f"{place}/{key} does not exist any more")
    if found != expected:
        raise ArtifactAltered(f"{place}/{key} has the SHA-256 {found}, and {expected} was built and attested")


def check_code(function: str, found: str, expected: str) -> None:
    """ArtifactAltered where a function holds other code than was attested; `found` is Lambda's CodeSha256."""
    digest = base64.b64decode(found).hex()
    if digest != expected:
        raise ArtifactAltered(
            f"{function} holds code with the SHA-256 {digest}, and {expected} was built and attested"
        )


def check_image(function: str, resolved: str, expected: str) -> None:
    """ArtifactAltered where a function runs another image than was attested; `resolved` is Lambda's own word.

    Source: AWS Lambda API Reference, FunctionCodeLocation, ResolvedImageUri.
    """
    digest = resolved.rpartition("@sha256:")[2]
    if digest != expected:
        raise ArtifactAltered(f"{function} runs the image {resolved}, and {expected} was built and attested")


def find_subject(statement: Statement, digest: str) -> str:
    """The name of the subject with this SHA-256 (hex); ArtifactAltered where there is none."""
    found = [name for name, said in statement.subjects.items() if said == digest]
    if not found:
        raise ArtifactAltered(f"no subject of the statement has the SHA-256 {digest}")
    return found[0]
