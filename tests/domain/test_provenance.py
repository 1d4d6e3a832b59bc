"""What the statement about a release says, by value; what it must say; and that it is SLSA's own form."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement as Oracle

from tidegate.domain.artifacts import archive_key
from tidegate.domain.bills import bill_key
from tidegate.domain.config import ServiceConfig
from tidegate.domain.errors import ArtifactAltered, ProvenanceRefused
from tidegate.domain.identity import BundleLocation, Commit, ReleaseRef
from tidegate.domain.locks import Lock, Wheel
from tidegate.domain.origins import Origins
from tidegate.domain.provenance import (
    BUILD_TYPE,
    Policy,
    allow_branches,
    check_digest,
    check_statement,
    describe_release,
    expect_digests,
    find_repository,
    find_subject,
    hash_text,
    list_deployed,
    statement_key,
)
from tidegate.domain.snapshots import FunctionSnapshot, PackageSnapshot, Snapshot
from tidegate.domain.statements import Builder, Resource, Statement, read_statement, write_statement

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:tidegate-release"
EXECUTION = MACHINE.replace("stateMachine", "execution") + ":orders-0123456789ab-1"
COMMIT = Commit(
    service="orders", id="0123456789ab" + "c" * 28, branch="main", bundle=BundleLocation(bucket="b", key="k")
)
REF = ReleaseRef(
    service="orders",
    id="0123456789ab-1",
    execution=EXECUTION,
    epoch=1,
    opened_at=datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
)
LOCK = "locks/aa.toml"
WHEEL = Wheel(name="idna", version="3.10", url="https://u:p@h/idna-3.10-py3-none-any.whl", sha256="e" * 64)
TESTS = Resource(name="tests.json", digest={"sha256": "d" * 64}, annotations={"summary": "4 passed"})
BUILDER = Builder(id=MACHINE, version={"tidegate": "1"})


def function(name: str, artifact: str, lock: str = "") -> FunctionSnapshot:
    return FunctionSnapshot(
        logical_id=name,
        code_uri="src",
        handler="app.handler",
        runtime="python3.13",
        declared_runtime="python3.13",
        architecture="arm64",
        artifact=artifact,
        lock=lock,
    )


def snapshot(*functions: FunctionSnapshot, **changes: Any) -> Snapshot:
    values: dict[str, Any] = {
        "commit": COMMIT,
        "template": "template.yaml",
        "template_text": "Resources: {}",
        "config": ServiceConfig(),
        "deployments": {},
        "functions": functions,
        "packages": (),
        "to_build": (),
        "has_tests": True,
    }
    return Snapshot.model_validate(values | changes)


LAYER = PackageSnapshot(logical_id="L", property_path="ContentUri", key="packages/cc.zip")
ONE = snapshot(
    function("A", "a" * 64, LOCK), function("B", "b" * 64), function("C", "b" * 64), packages=(LAYER,)
)
DIGESTS = {
    archive_key("a" * 64): "1" * 64,
    archive_key("b" * 64): "2" * 64,
    "packages/cc.zip": "3" * 64,
    LOCK: "4" * 64,
    bill_key(archive_key("a" * 64)): "5" * 64,
}


def describe(found: Snapshot = ONE, digests: dict[str, str] = DIGESTS) -> Statement:
    locks = {LOCK: [Lock(wheels=(WHEEL,)), Lock(wheels=(WHEEL,))]}
    return describe_release(REF, found, BUILDER, "s3://b/k", digests, locks, [TESTS])


def test_what_is_said_of_a_release() -> None:
    environment = {"runtime": "python3.13", "architecture": "arm64", "method": "python"}
    assert json.loads(write_statement(describe())) == {
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": "https://slsa.dev/provenance/v1",
        "subject": [
            {"name": archive_key("a" * 64), "digest": {"sha256": "1" * 64}},
            {"name": archive_key("b" * 64), "digest": {"sha256": "2" * 64}},
            {"name": "packages/cc.zip", "digest": {"sha256": "3" * 64}},
            {"name": "source/template.yaml", "digest": {"sha256": hash_text("Resources: {}")}},
        ],
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "service": "orders",
                    "repository": "s3://b/k",
                    "branch": "main",
                    "commit": COMMIT.id,
                },
                "internalParameters": {
                    "release": "0123456789ab-1",
                    "artifacts": {
                        archive_key("a" * 64): {
                            **environment,
                            "functions": ["A"],
                            "lock": LOCK,
                            "sbom": bill_key(archive_key("a" * 64)),
                        },
                        archive_key("b" * 64): {**environment, "functions": ["B", "C"]},
                    },
                },
                "resolvedDependencies": [
                    {"name": "source", "uri": "s3://b/k", "digest": {"gitCommit": COMMIT.id}},
                    {"name": LOCK, "digest": {"sha256": "4" * 64}},
                    {
                        "name": "idna-3.10-py3-none-any.whl",
                        "uri": "pkg:pypi/idna@3.10",
                        "digest": {"sha256": "e" * 64},
                    },
                ],
            },
            "runDetails": {
                "builder": {"id": MACHINE, "version": {"tidegate": "1"}},
                "metadata": {"invocationId": EXECUTION, "startedOn": "2026-01-02T03:04:05Z"},
                "byproducts": [
                    {
                        "name": "tests.json",
                        "digest": {"sha256": "d" * 64},
                        "annotations": {"summary": "4 passed"},
                    },
                    {"name": bill_key(archive_key("a" * 64)), "digest": {"sha256": "5" * 64}},
                ],
            },
        },
    }


def test_it_is_a_statement_and_provenance_by_the_schemas_of_in_toto() -> None:
    """By in-toto's own protobufs, read strictly: a field that they do not know would be an error."""
    body = json.loads(write_statement(describe()))
    parsed = json_format.Parse(json.dumps(body), statement_pb2.Statement())
    Oracle.copy_from_pb(parsed).validate()
    provenance = json_format.Parse(json.dumps(body["predicate"]), provenance_pb2.Provenance())
    assert provenance.run_details.builder.id == MACHINE
    assert provenance.run_details.metadata.started_on.ToJsonString() == "2026-01-02T03:04:05Z"
    assert [one.name for one in provenance.run_details.byproducts] == [
        "tests.json",
        bill_key(archive_key("a" * 64)),
    ]
    assert provenance.build_definition.external_parameters["commit"] == COMMIT.id


def test_it_is_written_the_same_and_read_back() -> None:
    statement = describe()
    assert write_statement(statement) == write_statement(describe())
    assert read_statement(write_statement(statement)) == statement


def test_fields_that_later_versions_add_are_ignored() -> None:
    body = json.loads(write_statement(describe()))
    body["later"] = body["predicate"]["later"] = body["subject"][0]["later"] = {"x": 1}
    assert read_statement(json.dumps(body).encode()) == describe()


def test_a_service_without_functions_has_its_template_attested() -> None:
    statement = describe_release(REF, snapshot(), BUILDER, "s3://b/k", {}, {}, ())
    assert statement.subjects == {"source/template.yaml": hash_text("Resources: {}")}


WANTED = Policy(
    builder=MACHINE,
    service="orders",
    repository="s3://b/k",
    commit=COMMIT.id,
    branches=("main",),
    invocation=EXECUTION,
)


def changed(*path: str | int, to: Any) -> Statement:
    body = copy.deepcopy(json.loads(write_statement(describe())))
    place = body
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return read_statement(json.dumps(body).encode())


DEFINITION = ("predicate", "buildDefinition")
EXTERNAL = (*DEFINITION, "externalParameters")
RUN = ("predicate", "runDetails")
OTHERS: dict[str, tuple[Statement, str]] = {
    "builder": (changed(*RUN, "builder", "id", to=MACHINE + "2"), "is by the builder .*release2, not arn"),
    "service": (changed(*EXTERNAL, "service", to="carts"), "is about the service carts, not orders"),
    "repository": (changed(*EXTERNAL, "repository", to="s3://b/x"), "repository s3://b/x, not s3://b/k"),
    "commit": (changed(*EXTERNAL, "commit", to="f" * 40), "is about the commit ffff"),
    "branch": (changed(*EXTERNAL, "branch", to="next"), r"branch next may not be deployed \(allowed: main\)"),
    "execution": (changed(*RUN, "metadata", "invocationId", to="arn:x"), "is of the execution arn:x"),
    "kind": (changed(*DEFINITION, "buildType", to="urn:x"), "a build of another kind: urn:x"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_a_statement_about_something_else_is_refused(case: str) -> None:
    statement, words = OTHERS[case]
    with pytest.raises(ProvenanceRefused, match=words):
        check_statement(statement, WANTED)


def test_the_statement_that_is_wanted_is_taken() -> None:
    check_statement(describe(), WANTED)
    check_statement(describe(), Policy())


@pytest.mark.parametrize(
    ("path", "to"),
    [
        (("_type",), "https://in-toto.io/Statement/v0.1"),
        (("predicateType",), "https://slsa.dev/provenance/v0.2"),
        (("subject",), []),
        (("subject", 0, "digest"), {}),
        (("predicate",), {}),
    ],
)
def test_another_form_of_statement_is_refused(path: tuple[str | int, ...], to: Any) -> None:
    with pytest.raises(ProvenanceRefused, match="is no SLSA provenance v1"):
        changed(*path, to=to)


def test_no_json_at_all_is_refused() -> None:
    with pytest.raises(ProvenanceRefused):
        read_statement(b"\xff{")


def test_each_deployed_object_has_its_digest() -> None:
    assert expect_digests(describe(), ONE) == {key: DIGESTS[key] for key in list_deployed(ONE)}


def test_what_nobody_attested_is_refused() -> None:
    more = snapshot(*ONE.functions, function("D", "d" * 64), packages=ONE.packages)
    with pytest.raises(ArtifactAltered, match=f"nobody attested {archive_key('d' * 64)}"):
        expect_digests(describe(), more)
    with pytest.raises(ArtifactAltered, match="nobody attested"):
        expect_digests(changed("subject", 0, "digest", to={"sha512": "1"}), ONE)


def test_another_template_than_the_attested_is_refused() -> None:
    other = ONE.model_copy(update={"template_text": "Resources: {Evil: 1}"})
    with pytest.raises(ProvenanceRefused, match=r"template\.yaml is not the one that was attested"):
        expect_digests(describe(), other)


def test_a_name_that_stands_twice_is_refused() -> None:
    statement = changed("subject", 1, "name", to=archive_key("a" * 64))
    with pytest.raises(ProvenanceRefused, match="twice"):
        expect_digests(statement, ONE)


def test_other_bytes_are_refused_and_so_are_none() -> None:
    check_digest("k", "a", "a", "s3://b")
    with pytest.raises(ArtifactAltered, match="s3://b/k has the SHA-256 b, and a was"):
        check_digest("k", "b", "a", "s3://b")
    with pytest.raises(ArtifactAltered, match="s3://b/k does not exist"):
        check_digest("k", None, "a", "s3://b")


def test_a_subject_is_found_by_its_bytes() -> None:
    assert find_subject(describe(), "2" * 64) == archive_key("b" * 64)
    with pytest.raises(ArtifactAltered, match="no subject"):
        find_subject(describe(), "9" * 64)


def test_a_service_may_allow_fewer_branches_and_never_more() -> None:
    assert allow_branches(["main", "next"], ()) == ("main", "next")
    assert allow_branches(["main", "next"], ["next", "wild"]) == ("next",)
    with pytest.raises(ProvenanceRefused, match="allowed: none"):
        check_statement(describe(), Policy(branches=allow_branches(["main"], ["wild"])))


@pytest.mark.parametrize(
    ("origin", "uri"),
    [
        ({"host": "github", "name": "Acme/orders"}, "git+https://github.com/Acme/orders"),
        ({"host": "codecommit", "name": "orders"}, "codecommit://orders"),
        (None, "urn:tidegate:service:orders"),
    ],
)
def test_a_commit_comes_from_its_bundle_or_from_the_repository_of_its_service(
    origin: dict[str, str] | None, uri: str
) -> None:
    found = [{**origin, "service": "orders", "branches": ["main"]}] if origin else []
    origins = Origins.model_validate({"repositories": found})
    assert find_repository(COMMIT, origins) == "s3://b/k"
    assert find_repository(COMMIT.model_copy(update={"bundle": None}), origins) == uri


def test_a_statement_lies_beside_no_document_that_the_janitor_deletes() -> None:
    assert statement_key("orders", REF.id) == "attestations/orders/0123456789ab-1.dsse.json"


@pytest.mark.parametrize("count", [100, 1_000])
def test_the_statement_grows_with_the_service_and_no_faster(count: int) -> None:
    functions = tuple(function(f"F{number}", f"{number:064x}", LOCK) for number in range(count))
    digests = {archive_key(f.artifact): "1" * 64 for f in functions} | {LOCK: "4" * 64}
    digests |= {bill_key(archive_key(f.artifact)): "5" * 64 for f in functions}
    body = write_statement(describe(snapshot(*functions), digests))
    assert len(body) < 800 * count + 2_000
    assert len(expect_digests(read_statement(body), snapshot(*functions))) == count
