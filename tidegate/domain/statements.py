"""Statements as they are signed: in-toto Statement v1 with the predicate SLSA provenance v1; pure.

They say what they say: what a release's statement must say is decided in `provenance`. Sources:
in-toto.io/Statement/v1, slsa.dev/spec/v1.0/provenance.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from tidegate.domain.errors import ProvenanceRefused

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://slsa.dev/provenance/v1"
SHA256: Final = "sha256"


class _Document(BaseModel):
    """A part of a statement: immutable; fields that are not known are ignored, as in-toto asks of readers."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True, defer_build=True
    )


class Resource(_Document):
    """A ResourceDescriptor of in-toto: something by its digest."""

    name: str | None = None
    uri: str | None = None
    digest: dict[str, str] = Field(min_length=1)
    annotations: dict[str, Any] | None = None


class Source(_Document):
    """The external parameters: what was asked to be built."""

    service: str
    repository: str
    branch: str
    commit: str


class Environment(_Document):
    """What an artifact was built for and from: its functions, the keys of its lock and of its SBOM.

    `image` is where foreign code built it, at CodeBuild.
    """

    functions: tuple[str, ...]
    runtime: str
    architecture: str
    method: str
    lock: str | None = None
    sbom: str | None = None
    image: str | None = None


class Internal(_Document):
    """The internal parameters: the release, and the environment of each artifact by its subject's name."""

    release: str
    artifacts: dict[str, Environment] = Field(default_factory=dict)


class BuildDefinition(_Document):
    """What was built, of what."""

    build_type: str
    external_parameters: Source
    internal_parameters: Internal
    resolved_dependencies: tuple[Resource, ...]


class Builder(_Document):
    """Who built: the ARN of the release machine, and the versions of what it runs."""

    id: str
    version: dict[str, str] = Field(default_factory=dict)


class Metadata(_Document):
    """Which execution it was, and when it began (RFC 3339)."""

    invocation_id: str
    started_on: str | None = None


class RunDetails(_Document):
    """How it was built; the byproducts are the verdicts that it was let pass by, and the SBOMs."""

    builder: Builder
    metadata: Metadata
    byproducts: tuple[Resource, ...] = ()


class Predicate(_Document):
    """SLSA provenance."""

    build_definition: BuildDefinition
    run_details: RunDetails


class Statement(_Document):
    """An in-toto Statement about a release."""

    type_: Literal["https://in-toto.io/Statement/v1"] = Field(STATEMENT_TYPE, alias="_type")
    subject: tuple[Resource, ...] = Field(min_length=1)
    predicate_type: Literal["https://slsa.dev/provenance/v1"] = PREDICATE_TYPE
    predicate: Predicate

    @property
    def source(self) -> Source:
        """What was asked to be built."""
        return self.predicate.build_definition.external_parameters

    @property
    def run(self) -> RunDetails:
        """How it was built."""
        return self.predicate.run_details

    @property
    def subjects(self) -> dict[str, str]:
        """The SHA-256 (hex) of each subject by its name; ProvenanceRefused where a name stands twice."""
        twice = [name for name, count in Counter(one.name for one in self.subject).items() if count > 1]
        if twice:
            raise ProvenanceRefused(f"the statement names {twice[0]} twice")
        return {str(one.name): one.digest.get(SHA256, "") for one in self.subject}


def write_statement(statement: Statement) -> bytes:
    """The statement as it is signed; the same for the same statement."""
    body = statement.model_dump(mode="json", by_alias=True, exclude_none=True)
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


def read_statement(payload: bytes) -> Statement:
    """A statement from what was signed; ProvenanceRefused where that is no SLSA provenance of this form."""
    try:
        return Statement.model_validate_json(payload)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ProvenanceRefused(f"what is signed is no SLSA provenance v1: {place}: {first['msg']}") from None
