"""Attesting a release, and letting it into a stage: on keys and buckets of the local cloud."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.serialization import load_der_public_key
from securesystemslib.dsse import Envelope as Oracle
from securesystemslib.signer import SSlibKey

from functions.attest_release.handler import Request, Response, handle
from functions.provision_stage.admission import admit, copy_artifacts
from tests.scene import TEMPLATE
from tidegate.adapters.documents import release_prefix, stage_prefix
from tidegate.adapters.signing import sign
from tidegate.domain.artifacts import archive_key
from tidegate.domain.bills import Component, Subject, bill_key, render
from tidegate.domain.dsse import identify_key, read_envelope, write_envelope
from tidegate.domain.errors import (
    ArtifactAltered,
    ClaimLost,
    ProvenanceMissing,
    ProvenanceRefused,
    SignatureInvalid,
    TestsFailed,
    TidegateError,
)
from tidegate.domain.origins import Origins
from tidegate.domain.provenance import statement_key
from tidegate.domain.snapshots import Artifact, TestsSnapshot
from tidegate.domain.statements import PAYLOAD_TYPE, read_statement, write_statement
from tidegate.domain.testing import Counts, SandboxResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.scene import Scene
    from tidegate.domain.statements import Statement

ARTIFACT = archive_key(f"{1:064x}")
LOCK = """lock-version = "1.0"
[[packages]]
name = "idna"
version = "3.10"
[[packages.wheels]]
url = "https://example.com/idna-3.10-py3-none-any.whl"
hashes = {sha256 = "946d195a0d259cbba61165e88e65941f16e9b36ea6ddb97f00452bae8b1287d3"}
"""


def attest(scene: Scene) -> Response:
    return handle(Request(release=scene.ref), scene.tools)


def standing(scene: Scene) -> bytes:
    return scene.tools.documents.find_bytes(statement_key(scene.service, scene.ref.id)) or b""


def statement(scene: Scene) -> Statement:
    return read_statement(read_envelope(standing(scene)).payload)


def remove(scene: Scene, *keys: str) -> None:
    for key in keys:
        documents = scene.tools.documents
        documents.client.delete_object(Bucket=documents.bucket, Key=key)


def prepare(scene: Scene, **changes: Any) -> None:
    """A release whose artifact is built, not yet attested."""
    scene.open()
    scene.sam(1, **changes)
    remove(scene, statement_key(scene.service, scene.ref.id))


def test_a_statement_is_signed_for_anyone_to_verify(scene: Scene) -> None:
    prepare(scene)
    response = attest(scene)
    spki = scene.cloud.client("kms").get_public_key(KeyId=f"alias/{scene.unique}")["PublicKey"]
    assert (response.subjects, response.keyid) == (2, identify_key(spki))
    key = SSlibKey.from_crypto(load_der_public_key(spki), keyid=response.keyid)  # type: ignore[arg-type]
    assert Oracle.from_dict(json.loads(standing(scene))).verify([key], 1)
    body = scene.tools.documents.find_bytes(ARTIFACT) or b""
    assert statement(scene).subjects[ARTIFACT] == hashlib.sha256(body).hexdigest()
    assert f"attested 1 artifacts of 0123456789ab, signed with the key {response.keyid[:12]}" in scene.told()


def test_a_second_run_leaves_the_first_statement(scene: Scene) -> None:
    prepare(scene)
    first, body = attest(scene), standing(scene)
    assert attest(scene) == first
    assert standing(scene) == body
    assert len([what for what in scene.told() if what.startswith("attested")]) == 1


def test_of_two_runs_at_once_one_statement_is_kept(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(scene)
    documents = scene.tools.documents
    write, bodies = documents.write_bytes_once, []

    def overtaken(key: str, body: bytes) -> bool:
        monkeypatch.setattr(documents, "write_bytes_once", write)
        attest(scene)
        bodies.extend([body, standing(scene)])
        return write(key, body)

    monkeypatch.setattr(documents, "write_bytes_once", overtaken)
    attest(scene)
    assert standing(scene) == bodies[1] != bodies[0]


def test_dependencies_tests_audit_and_bills_of_materials_are_named_by_their_digests(scene: Scene) -> None:
    function = {
        **scene.sam(1).functions[0].model_dump(),
        "lock": "locks/aa.toml",
    }
    remove(scene, statement_key(scene.service, scene.ref.id))
    scene.open()
    tests = TestsSnapshot(command="pytest -q", requirements=(), timeout=10)
    scene.snapshot(template_text=TEMPLATE, functions=(function,), tests=tests, has_tests=True)
    documents, prefix = scene.tools.documents, release_prefix(scene.ref)
    documents.write(f"{prefix}tests.json", SandboxResult(counts=Counts(tests=4)))
    bom = bill_key(ARTIFACT)
    written = {"locks/aa.toml": LOCK.encode(), f"{prefix}audit.json": b"{}"}
    for key, body in written.items():
        documents.write_bytes(key, body)
    attest(scene)
    found = statement(scene)
    dependencies = {one.name: one.digest for one in found.predicate.build_definition.resolved_dependencies}
    assert dependencies == {
        "source": {"gitCommit": scene.commit.id},
        "locks/aa.toml": {"sha256": hashlib.sha256(LOCK.encode()).hexdigest()},
        "idna-3.10-py3-none-any.whl": {
            "sha256": "946d195a0d259cbba61165e88e65941f16e9b36ea6ddb97f00452bae8b1287d3"
        },
    }
    byproducts = {one.name: one for one in found.run.byproducts}
    assert set(byproducts) == {"tests.json", "audit.json", bom}
    assert byproducts["tests.json"].annotations == {"summary": "`pytest -q` passed: 4 passed"}
    assert byproducts[bom].digest == {"sha256": hashlib.sha256(b"{}").hexdigest()}
    environment = found.predicate.build_definition.internal_parameters.artifacts[ARTIFACT]
    assert (environment.lock, environment.sbom, environment.functions) == ("locks/aa.toml", bom, ("Place",))


def test_tests_that_did_not_pass_are_never_attested(scene: Scene) -> None:
    tests = TestsSnapshot(command="pytest -q", requirements=(), timeout=10)
    scene.open()
    scene.snapshot(tests=tests, has_tests=True)
    with pytest.raises(ProvenanceRefused, match="the tests have no verdict"):
        attest(scene)
    scene.tools.documents.write(f"{release_prefix(scene.ref)}tests.json", SandboxResult(exit_code=1))
    with pytest.raises(TestsFailed):
        attest(scene)
    assert not standing(scene)


def test_an_artifact_that_is_not_what_was_built_is_never_attested(scene: Scene) -> None:
    prepare(scene)
    scene.tools.documents.write_bytes(ARTIFACT, b"evil")
    with pytest.raises(ArtifactAltered, match=ARTIFACT):
        attest(scene)
    remove(scene, ARTIFACT)
    with pytest.raises(ArtifactAltered, match="does not exist any more"):
        attest(scene)
    assert not standing(scene)


def test_a_record_that_is_gone_leaves_nothing_to_attest(scene: Scene) -> None:
    prepare(scene)
    remove(scene, f"artifacts/{1:064x}.json")
    with pytest.raises(ArtifactAltered, match=r"\.json does not exist any more"):
        attest(scene)


def test_a_package_is_what_its_name_or_its_bill_says(scene: Scene) -> None:
    body, documents = b"a layer", scene.tools.documents
    digest = hashlib.sha256(body).hexdigest()
    own, built = f"packages/{digest}.zip", f"packages/{'b' * 64}.zip"
    packages = [{"logical_id": "L", "property_path": "ContentUri", "key": key} for key in (own, built)]
    prepare(scene)
    scene.snapshot(packages=packages)
    for key in (own, built):
        documents.write_bytes(key, body)
    with pytest.raises(ArtifactAltered, match="not that of what was built"):
        attest(scene)
    wheel = Component(kind="pypi", name="idna", version="3.10", folder="idna", sha256=digest)
    documents.write_bytes(bill_key(built), render(Subject(key="b" * 64, sha256="c" * 64), [wheel]))
    with pytest.raises(ArtifactAltered, match="not that of what was built"):
        attest(scene)  # what is in it is not what it is
    documents.write_bytes(bill_key(built), render(Subject(key="b" * 64, sha256=digest), []))
    documents.write_bytes(own, b"evil")
    with pytest.raises(ArtifactAltered, match=f"{own} has the SHA-256"):
        attest(scene)
    documents.write_bytes(own, body)
    attest(scene)
    assert {statement(scene).subjects[key] for key in (own, built)} == {digest}


def test_a_branch_that_may_not_be_deployed_is_never_attested(scene: Scene) -> None:
    prepare(scene)
    scene.snapshot(config={"branches": ["stable"]})
    with pytest.raises(ProvenanceRefused, match=r"branch main may not be deployed \(allowed: none\)"):
        attest(scene)


def test_a_repository_of_the_configuration_has_branches_and_an_address_of_its_own(scene: Scene) -> None:
    prepare(scene)

    def configure(*branches: str) -> None:
        origin = {"host": "github", "name": "acme/orders", "service": scene.service, "branches": branches}
        origins = Origins.model_validate({"repositories": [origin]})
        scene.tools.settings.origins = origins  # in place of what the file says

    configure("stable")
    with pytest.raises(ProvenanceRefused, match=r"branch main may not be deployed \(allowed: stable\)"):
        attest(scene)
    configure("stable", "main")
    attest(scene)
    assert statement(scene).source.repository == "git+https://github.com/acme/orders"
    enter(scene)
    configure("stable")
    with pytest.raises(ProvenanceRefused, match="branch main"):
        enter(scene, scene.production)


def test_who_has_lost_the_claim_signs_nothing(scene: Scene) -> None:
    prepare(scene)
    scene.lose()
    with pytest.raises(ClaimLost):
        attest(scene)
    assert not standing(scene)


def enter(scene: Scene, stage: str = "") -> None:
    admit(scene.ref, stage or scene.staging, scene.tools)


def copied(scene: Scene, stage: str) -> bytes | None:
    return scene.tools.stage(stage).documents.find_bytes(ARTIFACT)


def test_what_is_attested_is_let_in_once_and_recorded(scene: Scene) -> None:
    scene.open()
    scene.sam(1)
    enter(scene)
    assert copied(scene, scene.staging) == scene.tools.documents.find_bytes(ARTIFACT)
    remove(scene, statement_key(scene.service, scene.ref.id))
    enter(scene)  # a second call of the same stage has nothing to look at
    with pytest.raises(ProvenanceMissing):
        enter(scene, scene.production)
    told = [what for what in scene.told() if what.startswith("verified the statement about 0123456789ab")]
    assert len(told) == 1


def resign(scene: Scene, **changes: Any) -> None:
    """Somebody who may sign says something else: fields of the statement by their path, joined by dots."""
    body = json.loads(read_envelope(standing(scene)).payload)
    for path, value in changes.items():
        place, *steps = body, *path.split("__")
        for step in steps[:-1]:
            place = place[step]
        place[steps[-1]] = value
    envelope = sign(scene.tools.keys, f"alias/{scene.unique}", PAYLOAD_TYPE, json.dumps(body).encode())
    scene.tools.documents.write_bytes(statement_key(scene.service, scene.ref.id), write_envelope(envelope))


def alter_artifact(scene: Scene) -> None:
    scene.tools.documents.write_bytes(ARTIFACT, b"evil")


def alter_artifact_and_record(scene: Scene) -> None:
    alter_artifact(scene)
    record = scene.tools.documents.read("artifacts/" + f"{1:064x}.json", Artifact)
    evil = record.model_copy(update={"sha256": hashlib.sha256(b"evil").hexdigest()})
    scene.tools.documents.write("artifacts/" + f"{1:064x}.json", evil)


def alter_copy(scene: Scene) -> None:
    scene.tools.stage(scene.staging).documents.write_bytes(ARTIFACT, b"evil")


def remove_artifact(scene: Scene) -> None:
    remove(scene, ARTIFACT)


def alter_statement(scene: Scene) -> None:
    envelope = read_envelope(standing(scene))
    changed = write_statement(read_statement(envelope.payload)).replace(b'"main"', b'"evil"')
    body = write_envelope(envelope._replace(payload=changed))
    scene.tools.documents.write_bytes(statement_key(scene.service, scene.ref.id), body)


def sign_with_another_key(scene: Scene) -> None:
    trusted = identify_key(
        scene.cloud.client("kms").get_public_key(KeyId=f"alias/{scene.unique}")["PublicKey"]
    )
    other = scene.cloud.client("kms").create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    payload = read_envelope(standing(scene)).payload
    envelope = sign(scene.tools.keys, other["KeyMetadata"]["Arn"], PAYLOAD_TYPE, payload)
    posing = (envelope.signatures[0]._replace(keyid=trusted),)
    body = write_envelope(envelope._replace(signatures=(*envelope.signatures, *posing)))
    scene.tools.documents.write_bytes(statement_key(scene.service, scene.ref.id), body)


def leave_a_subject_out(scene: Scene) -> None:
    subjects = json.loads(read_envelope(standing(scene)).payload)["subject"]
    resign(scene, subject=[one for one in subjects if one["name"] != ARTIFACT])


def tell_of_another_builder(scene: Scene) -> None:
    resign(scene, predicate__runDetails__builder={"id": "arn:aws:states:eu-west-1:1:stateMachine:mine"})


def replay_another_release(scene: Scene) -> None:
    resign(scene, predicate__runDetails__metadata={"invocationId": "arn:other"})


def remove_statement(scene: Scene) -> None:
    remove(scene, statement_key(scene.service, scene.ref.id))


def write_rubbish(scene: Scene) -> None:
    scene.tools.documents.write_bytes(statement_key(scene.service, scene.ref.id), b"{}")


REFUSALS: list[tuple[Callable[[Scene], None], type[TidegateError], str]] = [
    (alter_artifact, ArtifactAltered, "has the SHA-256"),
    (alter_artifact_and_record, ArtifactAltered, "has the SHA-256"),
    (alter_copy, ArtifactAltered, "s3://tidegate-artifacts-"),
    (remove_artifact, ArtifactAltered, "does not exist any more"),
    (leave_a_subject_out, ArtifactAltered, "nobody attested artifacts/"),
    (alter_statement, SignatureInvalid, "one of them was changed"),
    (sign_with_another_key, SignatureInvalid, "one of them was changed"),
    (write_rubbish, SignatureInvalid, "no DSSE envelope"),
    (remove_statement, ProvenanceMissing, "has no statement"),
    (tell_of_another_builder, ProvenanceRefused, "by the builder"),
    (replay_another_release, ProvenanceRefused, "of the execution"),
]


@pytest.mark.parametrize(("tamper", "error", "words"), REFUSALS, ids=lambda one: getattr(one, "__name__", ""))
def test_whatever_is_not_as_attested_is_refused_by_name(
    tamper: Callable[[Scene], None], error: type[TidegateError], words: str, scene: Scene
) -> None:
    scene.open()
    scene.sam(1)
    tamper(scene)
    with pytest.raises(error, match=words):
        enter(scene)
    assert not scene.tools.documents.exists(f"{stage_prefix(scene.ref, scene.staging)}admission.json")
    good = copied(scene, scene.staging)
    assert good is None or tamper is alter_copy


def test_another_template_than_the_attested_is_refused(scene: Scene) -> None:
    scene.open()
    functions = scene.sam(1).functions
    scene.snapshot(template_text="Resources: {Evil: 1}", functions=functions)
    with pytest.raises(ProvenanceRefused, match="is not the one that was attested"):
        enter(scene)


def test_a_copy_that_is_changed_after_its_stage_was_entered_is_not_deployed(scene: Scene) -> None:
    scene.open()
    scene.sam(1)
    enter(scene)
    alter_copy(scene)
    with pytest.raises(ArtifactAltered):
        copy_artifacts(scene.ref, scene.staging, scene.tools)


def test_an_object_that_s3_has_no_sum_of_is_read(scene: Scene) -> None:
    scene.open()
    scene.sam(1)
    documents = scene.tools.documents
    body = documents.find_bytes(ARTIFACT) or b""
    documents.client.put_object(Bucket=documents.bucket, Key=ARTIFACT, Body=body)
    stage = scene.tools.stage(scene.staging).documents
    stage.client.put_object(Bucket=stage.bucket, Key=ARTIFACT, Body=body)
    enter(scene)
    stage.client.put_object(Bucket=stage.bucket, Key=ARTIFACT, Body=b"evil")
    with pytest.raises(ArtifactAltered):
        copy_artifacts(scene.ref, scene.staging, scene.tools)


def test_keys_follow_one_another(scene: Scene) -> None:
    """What an earlier key signed is taken as long as the key is trusted, and no longer."""
    scene.open()
    scene.sam(1)
    kms = scene.cloud.client("kms")
    earlier = kms.describe_key(KeyId=f"alias/{scene.unique}")["KeyMetadata"]["Arn"]
    later = scene.make_key()
    with pytest.raises(SignatureInvalid, match="none of the trusted ones"):
        enter(scene)
    environment = scene.tools.settings._environment
    environment["TIDEGATE_TRUSTED_KEYS"] = f"{earlier},{later}"
    enter(scene)
    scene.attest(scene.sam(1))
    environment["TIDEGATE_TRUSTED_KEYS"] = earlier  # a function that began before the alias was moved
    enter(scene, scene.production)
    assert read_envelope(standing(scene)).signatures[0].keyid == identify_key(
        kms.get_public_key(KeyId=later)["PublicKey"]
    )


@pytest.mark.parametrize("code", ["DisabledException", "KMSInvalidStateException"])
def test_a_key_that_is_disabled_is_trusted_no_more_and_hides_no_other(scene: Scene, code: str) -> None:
    scene.open()
    scene.sam(1)
    kms: Any = scene.tools.keys
    gone, read = "arn:aws:kms:us-east-1:123456789012:key/gone", kms.get_public_key

    def get_public_key(**arguments: Any) -> Any:
        if arguments["KeyId"] in unusable:
            raise ClientError({"Error": {"Code": code, "Message": "it is disabled"}}, "GetPublicKey")
        return read(**arguments)

    environment = scene.tools.settings._environment
    environment["TIDEGATE_TRUSTED_KEYS"] = f"{gone},{environment['TIDEGATE_TRUSTED_KEYS']}"
    unusable, kms.get_public_key = {gone}, get_public_key
    enter(scene)
    unusable |= {*scene.tools.settings.trusted_keys}
    with pytest.raises(SignatureInvalid, match="none of the trusted ones"):
        enter(scene, scene.production)


COUNT = 200


def test_a_service_of_many_functions_needs_one_signature(scene: Scene) -> None:
    calls = {"Sign": 0, "Verify": 0, "GetPublicKey": 0, "HeadObject": 0, "GetObject": 0, "CopyObject": 0}

    def count(model: Any, **_: Any) -> None:
        calls[model.name] = calls.get(model.name, 0) + 1

    scene.open()
    first = scene.sam(1).functions[0]
    remove(scene, statement_key(scene.service, scene.ref.id))
    record = scene.tools.documents.read("artifacts/" + f"{1:064x}.json", Artifact)
    body = scene.tools.documents.find_bytes(ARTIFACT) or b""
    functions = []
    for number in range(COUNT):
        key = f"{number:064x}"
        functions.append(first.model_copy(update={"logical_id": f"F{number}", "artifact": key}))
        scene.tools.documents.write_bytes(archive_key(key), body)
        scene.tools.documents.write(f"artifacts/{key}.json", record)
    scene.snapshot(template_text=TEMPLATE, functions=tuple(functions))
    clients = (
        scene.tools.keys,
        scene.tools.documents.client,
        scene.tools.stage(scene.staging).documents.client,
    )
    for client in clients:
        client.meta.events.register("before-call", count)
    assert attest(scene).subjects == COUNT + 1
    assert (calls["Sign"], calls["GetPublicKey"]) == (1, 1)
    assert calls["HeadObject"] <= 2 * COUNT + 10
    assert len(standing(scene)) < 1_000_000
    calls.update(dict.fromkeys(calls, 0))
    enter(scene)
    assert (calls["Verify"], calls["CopyObject"]) == (1, COUNT)
    assert calls["HeadObject"] <= 4 * COUNT + 10
    calls.update(dict.fromkeys(calls, 0))
    copy_artifacts(scene.ref, scene.staging, scene.tools)
    assert (calls["CopyObject"], calls["HeadObject"]) == (0, COUNT)
