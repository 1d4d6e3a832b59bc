"""A pipeline's resources in the local cloud, with a release in the middle of its way."""

from __future__ import annotations

import hashlib
import io
import json
import time
import zipfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from functions.attest_release.statement import attest
from tidegate.adapters.bus import Bus
from tidegate.adapters.documents import release_prefix
from tidegate.adapters.plans import write_plan, write_rollout
from tidegate.adapters.stack_trees import list_resources
from tidegate.domain import telemetry_names
from tidegate.domain.artifacts import archive_key
from tidegate.domain.bills import bill_key
from tidegate.domain.config import ServiceConfig, StageConfig
from tidegate.domain.errors import TidegateError
from tidegate.domain.identity import Commit, ReleaseRef
from tidegate.domain.ledger import Claim, ClaimState, Release
from tidegate.domain.plans import FunctionPlan, Plan, StagePlan
from tidegate.domain.provenance import statement_key
from tidegate.domain.rollouts import Pointing, RollingFunction, Rollout
from tidegate.domain.snapshots import Artifact, Snapshot
from tidegate.local.cloud import ACCOUNT_ID, REGION
from tidegate.settings import Settings
from tidegate.task import Tools

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tidegate.local.cloud import LocalCloud

COMMIT_ID = "0123456789abcdef0123456789abcdef01234567"
RELEASE_ID = "0123456789ab-1"
MACHINES = f"arn:aws:states:{REGION}:{ACCOUNT_ID}"
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Place:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src
      Handler: index.handler
      Runtime: python3.12
"""
CODE = "def handler(event, context):\n    return {number}\n"


def zipped(**files: str) -> bytes:
    """A zip, the same for the same modules; `index=...` is the module index.py."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.py"), text)
    return body.getvalue()


def eventually(condition: Callable[[], Any], seconds: float = 15) -> Any:
    """What `condition` gives once it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    message = f"{condition} did not come true in {seconds} s"
    raise AssertionError(message)


def attempt(step: Callable[[], Any]) -> Any:
    """What a step of a task gives; None where it asks to be called again."""
    try:
        return step()
    except TidegateError as error:
        if not type(error).__name__.endswith("Pending"):
            raise
        return None


class Refusing:
    """A bus's client that answers as PutEvents does for entries which were not taken."""

    def put_events(self, **_: Any) -> dict[str, Any]:
        refused = {"ErrorCode": "InternalFailure", "ErrorMessage": "try again"}
        return {"FailedEntryCount": 1, "Entries": [refused]}


class Scene:
    """One service with two stages, `staging` and `production`, whose names are this test's own."""

    def __init__(self, cloud: LocalCloud, unique: str, monkeypatch: pytest.MonkeyPatch) -> None:
        for key, value in cloud.environment().items():
            monkeypatch.setenv(key, value)
        self.cloud, self.service, self.unique = cloud, unique, unique
        self.began = datetime.now(UTC).replace(microsecond=0)
        self.staging, self.production = f"{unique}-s", f"{unique}-p"
        stages = [
            {"name": name, "account": ACCOUNT_ID, "region": REGION, "production": name == self.production}
            for name in (self.staging, self.production)
        ]
        self.tools = Tools(
            Settings(
                {
                    "TIDEGATE_LEDGER_TABLE": f"{unique}-ledger",
                    "TIDEGATE_ARTIFACT_BUCKET": f"{unique}-artifacts",
                    "TIDEGATE_EVENT_BUS": f"{unique}-bus",
                    "TIDEGATE_STAGES": json.dumps(stages),
                    "TIDEGATE_PACE": "0.02",
                    "TIDEGATE_BRANCHES": "main",
                    "TIDEGATE_RELEASE_MACHINE": f"{MACHINES}:stateMachine:tidegate-release",
                    "TIDEGATE_SIGNING_KEY": f"alias/{unique}",
                    "TIDEGATE_TRUSTED_KEYS": "",
                }
            )
        )
        self.lambdas = cloud.client("lambda")
        self.ref = self.make_ref()
        self.commit = Commit(service=self.service, id=COMMIT_ID, branch="main")
        self._queue = ""
        self._running: list[str] = []
        self._make_resources()

    def _make_resources(self) -> None:
        keys = [("pk", "HASH"), ("sk", "RANGE")]
        for table in (
            f"{self.unique}-ledger",
            *(map(telemetry_names.table, (self.staging, self.production))),
        ):
            self.cloud.client("dynamodb").create_table(
                TableName=table,
                KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
                AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
                BillingMode="PAY_PER_REQUEST",
            )
        s3, iam = self.cloud.client("s3"), self.cloud.client("iam")
        s3.create_bucket(Bucket=f"{self.unique}-artifacts")
        for target in self.tools.settings.stages:
            s3.create_bucket(Bucket=target.bucket)
            for role in (target.deploy_role, target.cloudformation_role):
                iam.create_role(RoleName=role.rpartition("/")[2], AssumeRolePolicyDocument="{}")
            self.lambdas.create_function(
                FunctionName=telemetry_names.collector(target.name),
                Runtime="python3.12",
                Handler="index.handler",
                Role=target.deploy_role,
                Code={"ZipFile": zipped(index=CODE.replace("{number}", "1"))},
            )
        self.cloud.client("events").create_event_bus(Name=f"{self.unique}-bus")
        self.make_key()

    def make_key(self) -> str:
        """The key that signs from now on; its ARN."""
        kms = self.cloud.client("kms")
        key: str = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
        alias = f"alias/{self.unique}"
        standing = {one["AliasName"] for one in kms.list_aliases()["Aliases"]}
        (kms.update_alias if alias in standing else kms.create_alias)(AliasName=alias, TargetKeyId=key)
        return key

    def make_ref(self, execution: str = "", epoch: int = 1, release_id: str = RELEASE_ID) -> ReleaseRef:
        return ReleaseRef(
            service=self.service,
            id=release_id,
            execution=execution or f"{MACHINES}:execution:tidegate-release:{self.service}-{release_id}",
            epoch=epoch,
            opened_at=datetime.now(UTC) - timedelta(minutes=5),
        )

    # The past.

    def open(self) -> Release:
        """The release is open and holds the claim."""
        release = Release(ref=self.ref, commit=self.commit, attempt=1)
        self.tools.ledger.open_release(release)
        self.claim()
        return release

    def claim(self, **changes: Any) -> Claim:
        """Replace the claim, whoever has it."""
        claim = Claim(
            service=self.service,
            epoch=self.ref.epoch,
            state=ClaimState.HELD,
            holder=self.ref.execution,
            release=self.ref,
        ).model_copy(update=changes)
        assert self.tools.ledger.write_claim(claim, over=self.tools.ledger.read_claim(self.service))
        return claim

    def run(self, name: str, machine: str = "") -> str:
        """An execution that runs until `stop`; gives its ARN. A machine of one's own, if none is named."""
        machines = self.cloud.client("stepfunctions")
        machine = machine or f"{self.unique}-{name}"
        arn = f"{MACHINES}:stateMachine:{machine}"
        wait = {"Type": "Wait", "Seconds": 900_000, "End": True}
        machines.create_state_machine(
            name=machine,
            definition=json.dumps({"StartAt": "Wait", "States": {"Wait": wait}}),
            roleArn=self.tools.settings.stages[0].deploy_role,
        )
        execution: str = machines.start_execution(stateMachineArn=arn, name=name)["executionArn"]
        self._running.append(execution)
        return execution

    def stop(self) -> None:
        """Stop what runs."""
        machines = self.cloud.client("stepfunctions")
        for execution in self._running:
            machines.stop_execution(executionArn=execution)
            arn = execution.rpartition(":")[0].replace(":execution:", ":stateMachine:")
            machines.delete_state_machine(stateMachineArn=arn)
        self._running.clear()

    def lose(self) -> None:
        """A rollback takes the claim."""
        epoch = self.ref.epoch + 1
        taken = self.ref.model_copy(update={"epoch": epoch})
        self.claim(epoch=epoch, holder=f"{MACHINES}:execution:tidegate-rollback:r1", release=taken)

    def snapshot(self, **changes: Any) -> Snapshot:
        values: dict[str, Any] = {
            "commit": self.commit,
            "template": "template.yaml",
            "template_text": "Resources: {}",
            "config": ServiceConfig(),
            "deployments": {},
            "functions": (),
            "packages": (),
            "to_build": (),
            "has_tests": False,
        }
        found = Snapshot.model_validate(values | changes)
        self.tools.documents.write(f"{release_prefix(self.ref)}snapshot.json", found)
        return found

    def stage_plan(self, stage: str, *functions: FunctionPlan, **changes: Any) -> StagePlan:
        production = stage == self.production
        values: dict[str, Any] = {
            "stage": stage,
            "account": ACCOUNT_ID,
            "region": REGION,
            "production": production,
            "stack_name": f"{self.service}-{stage}",
            "creates_stack": False,
            "change_set": None,
            "changes": (),
            "functions": functions,
            "config": StageConfig().for_stage(production=production),
            "at_once": (),
        }
        return StagePlan.model_validate(values | changes)

    def plan(self, *stages: StagePlan) -> Plan:
        given = {stage.stage: stage for stage in stages}
        names = [target.name for target in self.tools.settings.stages]
        full = tuple(given.get(name) or self.stage_plan(name) for name in names)
        plan = Plan(service=self.service, release_id=self.ref.id, commit=self.commit, stages=full)
        write_plan(self.tools.documents, self.ref, plan)
        return plan

    def rollout(self, stage: str, *functions: RollingFunction) -> Rollout:
        rollout = Rollout(stage=stage, functions=functions)
        write_rollout(self.tools.documents, self.ref, rollout)
        return rollout

    @contextmanager
    def at(self, moment: datetime) -> Iterator[None]:
        """Let the tools take this moment for now."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.tools, "now", lambda: moment)
            yield

    # Functions.

    def function(self, name: str = "Place", code: str = CODE, versions: int = 2) -> RollingFunction:
        """A function with as many versions and an alias `live` on the first; version 2 is the canary."""
        physical = f"{self.service}-{name}".lower()
        role = self.tools.settings.stages[0].deploy_role
        self.lambdas.create_function(
            FunctionName=physical,
            Runtime="python3.12",
            Handler="index.handler",
            Role=role,
            Code={"ZipFile": zipped(index=code.replace("{number}", "1"))},
        )
        self.lambdas.publish_version(FunctionName=physical)
        for number in range(2, versions + 1):
            self.change(physical, code.replace("{number}", str(number)))
            self.lambdas.publish_version(FunctionName=physical)
        self.lambdas.create_alias(FunctionName=physical, Name="live", FunctionVersion="1")
        return RollingFunction(
            logical_id=name,
            name=physical,
            alias="live",
            stable="1",
            canary="2",
            log_group=f"/aws/lambda/{physical}",
        )

    def change(self, physical: str, code: str) -> None:
        self.lambdas.update_function_code(FunctionName=physical, ZipFile=zipped(index=code))

    def function_plan(self, function: RollingFunction, **changes: Any) -> FunctionPlan:
        values: dict[str, Any] = {
            "logical_id": function.logical_id,
            "alias_logical_id": f"{function.logical_id}TidegateAlias",
            "artifact": "b" * 64,
            "previous_artifact": "a" * 64,
            "canaried": True,
            "function_name": function.name,
            "alias": function.alias,
            "rollback_target": function.stable,
        }
        return FunctionPlan.model_validate(values | changes)

    def pointing(self, function: RollingFunction) -> Pointing:
        answer = self.lambdas.get_alias(FunctionName=function.name, Name=function.alias)
        weights = answer.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        return Pointing(version=answer["FunctionVersion"], weights=weights)

    def move(self, function: RollingFunction, version: str, **weights: float) -> None:
        """Somebody else moves the alias; a weight for version 3 is written v3=0.1."""
        routing = {key.removeprefix("v"): weight for key, weight in weights.items()}
        self.lambdas.update_alias(
            FunctionName=function.name,
            Name=function.alias,
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": routing},
        )

    # A whole service.

    def standing(self) -> dict[str, str]:
        """What production's stack holds: physical by logical id."""
        return list_resources(self.cloud.client("cloudformation"), f"{self.service}-{self.production}")

    def sam(self, number: int, **changes: Any) -> Snapshot:
        """The attested snapshot of a service with one function whose code gives `number`."""
        artifact = f"{number:064x}"
        body = zipped(index=CODE.replace("{number}", str(number)))
        self.tools.documents.write_bytes(f"artifacts/{artifact}.zip", body)
        record = Artifact(
            key=artifact,
            sha256=hashlib.sha256(body).hexdigest(),
            size=len(body),
            unzipped_size=len(body),
            runtime="python3.12",
            architecture="x86_64",
            lock=(),
            bill=bill_key(archive_key(artifact)),
            bill_sha256=hashlib.sha256(b"{}").hexdigest(),
            components=0,
        )
        self.tools.documents.write_bytes(record.bill, b"{}")
        self.tools.documents.write(f"artifacts/{artifact}.json", record)
        function = {
            "logical_id": "Place",
            "code_uri": "src",
            "handler": "index.handler",
            "runtime": "python3.12",
            "declared_runtime": "python3.12",
            "architecture": "x86_64",
            "artifact": artifact,
        }
        found = self.snapshot(**{"template_text": TEMPLATE, "functions": (function,)} | changes)
        self.attest(found)
        return found

    def attest(self, snapshot: Snapshot) -> str:
        """The snapshot's statement, in the place of the one that stands; its key."""
        key = statement_key(self.service, self.ref.id)
        documents = self.tools.documents
        documents.client.delete_object(Bucket=documents.bucket, Key=key)
        attest(self.ref, snapshot, self.tools)
        return key

    def next_release(self, commit_id: str = "f" * 40) -> None:
        """The next release is open and holds the claim."""
        release_id = f"{commit_id[:12]}-1"
        self.commit = Commit(service=self.service, id=commit_id, branch="main")
        self.ref = self.make_ref(epoch=self.ref.epoch + 1, release_id=release_id)
        self.open()

    # What was told.

    def told(self) -> list[str]:
        """The sentences of the release's ledger entries."""
        return [entry.what for entry in self.tools.ledger.entries(self.service, self.ref.id)]

    def listen(self) -> None:
        """Keep the events that the bus gets from now on."""
        sqs, events = self.cloud.client("sqs"), self.cloud.client("events")
        self._queue = sqs.create_queue(QueueName=self.unique)["QueueUrl"]
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{self.unique}"
        pattern = json.dumps({"source": ["tidegate"]})
        bus = f"{self.unique}-bus"
        events.put_rule(Name=self.unique, EventBusName=bus, EventPattern=pattern)
        events.put_targets(Rule=self.unique, EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])

    def refuse_events(self) -> None:
        """The bus takes calls from now on, and refuses what is in them."""
        self.tools.bus = Bus(Refusing(), "refusing")  # type: ignore[arg-type]

    def heard(self) -> dict[str, Any]:
        """The next event."""
        sqs = self.cloud.client("sqs")

        def receive() -> Any:
            found = sqs.receive_message(QueueUrl=self._queue).get("Messages", [])
            for message in found:
                sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
            return found

        event: dict[str, Any] = json.loads(eventually(receive)[0]["Body"])
        return event
