"""`tidegate verify`: with files alone, and with what a pipeline knows; what does not hold is exit code 1."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from moto.kms.models import kms_backends

from tests.cli.conftest import ACCOUNT, REGION
from tidegate.adapters.healthy import write_healthy
from tidegate.cli.main import main
from tidegate.domain.artifacts import archive_key
from tidegate.domain.bills import bill_key
from tidegate.domain.config import ServiceConfig
from tidegate.domain.dsse import Envelope, Signature, encode_authenticated, identify_key, write_envelope
from tidegate.domain.healthy import Healthy
from tidegate.domain.locks import Lock
from tidegate.domain.pipeline import SIGNING_ALIAS
from tidegate.domain.provenance import describe_release, statement_key
from tidegate.domain.snapshots import FunctionSnapshot, Snapshot
from tidegate.domain.statements import PAYLOAD_TYPE, Builder, Resource, write_statement

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from tests.cli.conftest import World
    from tidegate.domain.ledger import Release

ARTIFACT = "a" * 64
BODY = b"a zip"
LOCK = "locks/aa.toml"
SPKI = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


class Attested:
    """A release that is live in production, with its statement and the key that signed it."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.folder = world, folder
        kms = world.pipeline.client("kms")
        made = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
        kms.create_alias(AliasName=SIGNING_ALIAS, TargetKeyId=made["KeyId"])
        # The local cloud signs digests as KMS does; what is in this process does not, so the key does it itself.
        self.private: Any = kms_backends[ACCOUNT][REGION].keys[made["KeyId"]].private_key.private_key
        self.keyid = identify_key(self.private.public_key().public_bytes(*SPKI))
        self.release = world.release()
        self.documents = world.pipeline.documents
        self.documents.write_bytes(archive_key(ARTIFACT), BODY)
        self.write(self.seal())
        healthy = Healthy(
            stage="production", release_id=self.release.ref.id, artifacts={"Api": ARTIFACT}, functions={}
        )
        write_healthy(world.pipeline.ledger, self.documents, self.release.ref, healthy)
        self.zip = folder / "api.zip"
        self.zip.write_bytes(BODY)
        self.statement = folder / "statement.json"
        self.statement.write_bytes(self.seal())
        self.key = folder / "key.pem"
        self.key.write_bytes(
            self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )

    def write(self, body: bytes) -> None:
        self.documents.write_bytes(statement_key("orders", self.release.ref.id), body)

    def seal(self, builder: str = "", release: Release | None = None) -> bytes:
        release = release or self.release
        function = FunctionSnapshot(
            logical_id="Api",
            code_uri="src",
            handler="app.handler",
            runtime="python3.13",
            declared_runtime="python3.13",
            architecture="arm64",
            artifact=ARTIFACT,
            lock=LOCK,
        )
        snapshot = Snapshot(
            commit=release.commit,
            template="template.yaml",
            template_text="Resources: {}",
            config=ServiceConfig(),
            deployments={},
            functions=(function,),
            packages=(),
            to_build=(),
            has_tests=True,
        )
        digests = {
            archive_key(ARTIFACT): hashlib.sha256(BODY).hexdigest(),
            LOCK: "4" * 64,
            bill_key(archive_key(ARTIFACT)): "5" * 64,
        }
        tests = Resource(name="tests.json", digest={"sha256": "d" * 64}, annotations={"summary": "4 passed"})
        machine = Builder(id=builder or self.world.pipeline.resources.release_machine)
        statement = describe_release(
            release.ref, snapshot, machine, "s3://b/k", digests, {LOCK: [Lock()]}, [tests]
        )
        payload = write_statement(statement)
        sig = self.private.sign(encode_authenticated(PAYLOAD_TYPE, payload), ec.ECDSA(hashes.SHA256()))
        return write_envelope(Envelope(PAYLOAD_TYPE, payload, (Signature(self.keyid, sig),)))

    def call(self, *arguments: str | Path) -> Result:
        return self.world.call("verify", *map(str, arguments))

    def offline(self, *arguments: str | Path) -> Result:
        """Without a pipeline at hand, and without anything that could lead to one."""
        return CliRunner().invoke(main, ["verify", *map(str, arguments)])

    @property
    def files(self) -> list[str]:
        return [str(self.zip), "--statement", str(self.statement), "--key", str(self.key)]


@pytest.fixture
def attested(world: World, tmp_path: Path) -> Attested:
    return Attested(world, tmp_path)


def refusal(done: Result) -> tuple[str, str]:
    assert done.exit_code == 1, done.output
    found = json.loads(done.output)
    assert found.pop("verified") is False
    return found["error"], found["reason"]


def test_files_alone_are_enough(attested: Attested, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidegate.cli.verify.find_pipeline", None)
    done = attested.offline(*attested.files)
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == f"verified: artifacts/{ARTIFACT}.zip of Api for python3.13 on arm64"
    told = {line[2:12].strip(): line[12:] for line in lines[1:]}
    commit = attested.release.commit
    assert told == {
        "sha256": hashlib.sha256(BODY).hexdigest(),
        "commit": f"{commit.id} on main of orders (s3://b/k)",
        "release": f"{attested.release.ref.id}, begun 2026-03-04T09:10:00Z",
        "builder": attested.world.pipeline.resources.release_machine,
        "signed by": attested.keyid[:12],
        "lock": f"{LOCK} (sha256 {'4' * 64})",
        "sbom": f"artifacts/{ARTIFACT}.cdx.json (sha256 {'5' * 64})",
        "tests": f"4 passed, tests.json (sha256 {'d' * 64})",
        "audit": "none",
    }


def test_programs_read_the_same(attested: Attested) -> None:
    found = json.loads(attested.offline(*attested.files, "--json").output)
    assert found["verified"] is True
    assert (found["service"], found["commit"]) == ("orders", attested.release.commit.id)
    assert found["tests"] == {"name": "tests.json", "sha256": "d" * 64, "summary": "4 passed"}
    assert (found["functions"], found["keyid"]) == (["Api"], attested.keyid)


def test_a_changed_zip_is_not_verified(attested: Attested) -> None:
    attested.zip.write_bytes(b"a zip!")
    done = attested.offline(*attested.files)
    assert done.exit_code == 1
    assert "error: ArtifactAltered: no subject of the statement has the SHA-256" in done.output
    assert refusal(attested.offline(*attested.files, "--json"))[0] == "ArtifactAltered"
    assert (
        "what was given for/artifacts"
        in refusal(attested.offline(*attested.files, "--json", "--function", "Api"))[1]
    )


def test_a_changed_statement_is_not_verified(attested: Attested) -> None:
    body = attested.statement.read_bytes()
    attested.statement.write_bytes(body.replace(b'"payload": "ey', b'"payload": "fy'))
    assert refusal(attested.offline(*attested.files, "--json"))[0] == "SignatureInvalid"
    attested.statement.write_bytes(b"{}")
    assert refusal(attested.offline(*attested.files, "--json"))[0] == "SignatureInvalid"


def test_another_key_verifies_nothing(attested: Attested) -> None:
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    attested.key.write_bytes(other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert refusal(attested.offline(*attested.files, "--json"))[0] == "SignatureInvalid"


@pytest.mark.parametrize(("option", "value"), [("--builder", "arn:another"), ("--service", "carts")])
def test_a_statement_about_something_else_is_not_taken(attested: Attested, option: str, value: str) -> None:
    assert refusal(attested.offline(*attested.files, "--json", option, value))[0] == "ProvenanceRefused"


def test_a_function_s_artifact_is_fetched_from_the_pipeline(attested: Attested) -> None:
    for arguments in (
        ["--function", "Api"],
        [ARTIFACT],
        [str(attested.zip), "--function", "Api"],
        [str(attested.zip)],
    ):
        done = attested.call(*arguments, "--service", "orders", "--json")
        assert done.exit_code == 0, done.output
        found = json.loads(done.output)
        assert (found["artifact"], found["release"]) == (archive_key(ARTIFACT), attested.release.ref.id)


def test_what_lies_in_the_bucket_is_read_and_not_believed(attested: Attested) -> None:
    attested.documents.write_bytes(archive_key(ARTIFACT), b"evil")
    asked = ("--service", "orders", "--function", "Api", "--json")
    error, reason = refusal(attested.call(*asked))
    assert (error, archive_key(ARTIFACT) in reason) == ("ArtifactAltered", True)
    attested.documents.client.delete_object(Bucket=attested.documents.bucket, Key=archive_key(ARTIFACT))
    assert refusal(attested.call(*asked))[0] == "ArtifactAltered"


def test_the_pipeline_s_own_builder_and_the_release_s_execution_are_asked_for(attested: Attested) -> None:
    asked = ("--service", "orders", "--function", "Api", "--json")
    attested.write(attested.seal(builder="arn:another"))
    assert "by the builder arn:another" in refusal(attested.call(*asked))[1]
    other = attested.world.release("c" * 40)
    attested.write(attested.seal(release=other))
    assert "of the execution" in refusal(attested.call(*asked))[1]


def test_a_release_is_named_or_the_live_one_is_meant(attested: Attested) -> None:
    later = attested.world.release("b" * 40)
    asked = ("--service", "orders", "--function", "Api", "--json")
    assert json.loads(attested.call(*asked).output)["release"] == attested.release.ref.id
    assert refusal(attested.call(*asked, "--release", "bbbb"))[0] == "ProvenanceMissing"
    key = statement_key("orders", later.ref.id)
    attested.documents.write_bytes(key, attested.seal(release=later))
    assert json.loads(attested.call(*asked, "--release", "bbbb").output)["commit"] == "b" * 40
    done = attested.call(*asked, "--stage", "staging")
    assert (done.exit_code, "nothing of orders is live in staging" in done.output) == (1, True)


def test_what_was_fetched_is_saved_for_a_check_without_the_pipeline(attested: Attested) -> None:
    folder = attested.folder / "evidence"
    done = attested.call("--service", "orders", "--function", "Api", "--save", folder)
    assert done.exit_code == 0, done.output
    statement, key = folder / f"{attested.release.ref.id}.dsse.json", folder / f"{attested.keyid[:12]}.pem"
    assert str(statement) in done.output
    again = attested.offline(attested.zip, "--statement", statement, "--key", key)
    assert (again.exit_code, again.output.split(":")[0]) == (0, "verified")


def test_a_function_that_the_release_does_not_have_is_named(attested: Attested) -> None:
    done = attested.call("--service", "orders", "--function", "Nope")
    assert (done.exit_code, "has no function Nope; it has Api" in done.output) == (1, True)


WRONG: dict[str, tuple[list[str], str]] = {
    "nothing": ([], "name an ARTIFACT, or a --function"),
    "no such file": (["nowhere.zip", "--service", "orders"], "neither a file nor an artifact's key"),
    "a key without its service": ([ARTIFACT], "without --service"),
    "a function without its service": (["--function", "Api"], "without --service"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_question_is_wrong_usage(attested: Attested, case: str) -> None:
    arguments, words = WRONG[case]
    done = attested.offline(*arguments)
    assert (done.exit_code, words in done.output) == (2, True), done.output


def test_a_key_that_is_none_of_a_pipeline_s_is_wrong_usage(attested: Attested) -> None:
    large = rsa.generate_private_key(65537, 2048).public_key()
    curve = ec.generate_private_key(ec.SECP384R1()).public_key()
    bodies = [key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo) for key in (large, curve)]
    for body in (*bodies, b"no key"):
        attested.key.write_bytes(body)
        done = attested.offline(*attested.files)
        assert (done.exit_code, "--key" in done.output) == (2, True), done.output
