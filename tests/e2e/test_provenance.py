"""What was changed between its build and its deployment never gets into a stage, whoever changed it."""

from __future__ import annotations

import io
import json
import urllib.request
import zipfile
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from click.testing import CliRunner

from tests.pipelines.services import STAGES
from tidegate.adapters.signing import sign
from tidegate.cli.approvals import answer
from tidegate.cli.main import main
from tidegate.cli.outcomes import Exit
from tidegate.domain.artifacts import archive_key
from tidegate.domain.dsse import read_envelope, write_envelope
from tidegate.domain.pipeline import SIGNING_ALIAS
from tidegate.domain.provenance import statement_key
from tidegate.domain.snapshots import Snapshot
from tidegate.domain.statements import PAYLOAD_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.pipelines.services import Service
    from tidegate.cli.push import Pushed

EVIL = 'def handler(event, context):\n    return {"statusCode": 200, "body": "evil"}\n'


class Attempt:
    """A release that waits for a person right after it was attested and planned, and what may be done to it."""

    def __init__(self, service: Service) -> None:
        self.service = service
        service.config["stages"]["staging"] = {"approval": "required"}
        service.change()
        self.pushed = service.push()
        service.await_entry(self.pushed, "AwaitApproval", "staging")
        self.documents = service.pipeline.documents
        self.key = statement_key(service.name, self.pushed.release_id)
        prefix = f"releases/{service.name}/{self.pushed.release_id}/"
        (function,) = self.documents.read(f"{prefix}snapshot.json", Snapshot).functions[:1]
        self.artifact = archive_key(function.artifact)

    def go_on(self) -> Pushed:
        """A person agrees."""
        service = self.service
        answer(service.pipeline, service.name, self.pushed.release_id, approve=True, comment="looks fine")
        service.await_end(self.pushed)
        return self.pushed

    def statement(self) -> Any:
        return json.loads(read_envelope(self.body()).payload)

    def body(self) -> bytes:
        return self.documents.find_bytes(self.key) or b""

    def write(self, body: bytes) -> None:
        self.documents.write_bytes(self.key, body)

    def resign(self, statement: Any, key: str = SIGNING_ALIAS) -> None:
        payload = json.dumps(statement).encode()
        self.write(write_envelope(sign(self.service.client("kms"), key, PAYLOAD_TYPE, payload)))


def replace_artifact(attempt: Attempt) -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("app.py", EVIL)
    attempt.documents.write_bytes(attempt.artifact, body.getvalue())


def change_statement(attempt: Attempt) -> None:
    envelope = read_envelope(attempt.body())
    attempt.write(write_envelope(envelope._replace(payload=envelope.payload.replace(b'"main"', b'"evil"'))))


def sign_with_another_key(attempt: Attempt) -> None:
    made = attempt.service.client("kms").create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    attempt.resign(attempt.statement(), made["KeyMetadata"]["Arn"])


def attest_something_else(attempt: Attempt) -> None:
    statement = attempt.statement()
    for subject in statement["subject"]:
        subject["name"] = subject["name"].replace(attempt.artifact, archive_key("f" * 64))
    attempt.resign(statement)


def remove_statement(attempt: Attempt) -> None:
    attempt.documents.client.delete_object(Bucket=attempt.documents.bucket, Key=attempt.key)


def tell_of_another_builder(attempt: Attempt) -> None:
    statement = attempt.statement()
    statement["predicate"]["runDetails"]["builder"]["id"] += "-of-mine"
    attempt.resign(statement)


class Refusal(NamedTuple):
    tamper: Callable[[Attempt], None]
    error: str
    words: str


REFUSALS = {
    "tampered artifact": Refusal(replace_artifact, "ArtifactAltered", "was built and attested"),
    "tampered statement": Refusal(change_statement, "SignatureInvalid", "one of them was changed"),
    "wrong key": Refusal(sign_with_another_key, "SignatureInvalid", "none of the trusted ones"),
    "foreign subject": Refusal(attest_something_else, "ArtifactAltered", "nobody attested artifacts/"),
    "missing statement": Refusal(remove_statement, "ProvenanceMissing", "has no statement"),
    "another builder": Refusal(tell_of_another_builder, "ProvenanceRefused", "release-of-mine, not arn"),
}
PATH = [
    "OpenRelease",
    "IsOpen",
    "CheckOutSource",
    "BuildFunctions",
    "TestFunction",
    "AttestRelease",
    "PlanRelease",
    "NextStage",
    "EnterStage",
    "IsApprovalNeeded",
    "AwaitApproval",
    "ProvisionStage",
    "RestoreTraffic",
    "UndoRelease",
    "VerifyRecovery",
]


def versions(service: Service) -> dict[str, list[str]]:
    """The versions of every function of the service, by its name."""
    client = service.client("lambda")
    names = [name for stage in STAGES for name, _ in service.aliases(stage).values()]
    return {
        name: [one["CodeSha256"] for one in client.list_versions_by_function(FunctionName=name)["Versions"]]
        for name in names
    }


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=[name.replace(" ", "-") for name in REFUSALS])
def test_it_is_refused_by_name_and_nothing_is_touched(service: Service, refusal: Refusal) -> None:
    before = versions(service)
    attempt = Attempt(service)
    refusal.tamper(attempt)
    pushed = attempt.go_on()
    service.check_rejected(pushed, "ProvisionStage", refusal.error, refusal.words)
    path = service.path(pushed)
    known = [state for state in path if state in PATH]
    assert known[: len(PATH)] == PATH
    assert path[-1] == "Rejected"
    assert not {"PublishVersions", "ShiftTraffic", "LeaveStage"} & set(path)
    assert versions(service) == before


def test_an_artifact_that_is_replaced_before_production_leaves_production_as_it_is(service: Service) -> None:
    """Staging had the attested bytes; production's turn comes later, and it looks for itself."""
    service.config["stages"]["production"]["approval"] = "required"
    service.change()
    pushed = service.push()
    service.await_entry(pushed, "AwaitApproval", "production")
    prefix = f"releases/{service.name}/{pushed.release_id}/"
    documents = service.pipeline.documents
    function = documents.read(f"{prefix}snapshot.json", Snapshot).functions[0]
    documents.write_bytes(archive_key(function.artifact), b"evil")
    answer(service.pipeline, service.name, pushed.release_id, approve=True, comment="")
    service.await_end(pushed)
    found = service.record(pushed)
    assert found is not None
    assert found.reason.startswith("ProvisionStage: ArtifactAltered: "), service.tell(pushed)
    assert [e.stage for e in service.entries(pushed) if e.step == "PublishVersions"].count("production") == 0
    assert set(service.ask()) == {service.live}
    service.check_settled()


def test_the_next_release_is_attested_and_goes_through(service: Service) -> None:
    service.config["stages"]["production"]["strategy"] = "AllAtOnce"
    pushed = service.release_good()
    told = [entry.what for entry in service.entries(pushed)]
    assert [what for what in told if what.startswith("attested 1 artifacts of ")]
    assert len([what for what in told if what.startswith("verified the statement about ")]) == len(STAGES)
    service.check_settled()


def test_what_runs_is_verified_at_a_desk(service: Service, tmp_path: Path) -> None:
    """By what Lambda gives of the live function, by what the bucket holds, and with saved files alone."""
    name = next(iter(service.aliases("production").values()))[0]
    address = service.client("lambda").get_function(FunctionName=name)["Code"]["Location"]
    code = tmp_path / "code.zip"
    with urllib.request.urlopen(address) as answer:  # noqa: S310 (the local cloud's own)
        code.write_bytes(answer.read())
    asked = ("--service", service.name, "--function", service.functions[0])
    live = json.loads(service.command("verify", *asked, "--json", "--save", str(tmp_path)).output)
    done = service.command("verify", str(code), *asked)
    assert done.exit_code == Exit.DONE, done.output
    assert f"{live['commit']} on main of {service.name}" in done.output
    statement, key = live["saved"][:2]
    files = ("--statement", statement, "--key", key)
    assert CliRunner().invoke(main, ["verify", str(code), *files]).exit_code == Exit.DONE
    code.write_bytes(code.read_bytes() + b"!")
    for arguments in ((str(code), *asked), (str(code), *files)):
        refused = service.command("verify", *arguments)
        assert (refused.exit_code, "ArtifactAltered" in refused.output) == (Exit.FAILED, True)
