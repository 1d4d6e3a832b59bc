"""A pipeline made of moto's parts in this process: table, buckets, machines, bus."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from click.testing import CliRunner, Result
from moto import mock_aws

from tidegate.cli.main import main
from tidegate.cli.pipeline import Pipeline, Resources
from tidegate.domain.identity import BundleLocation, Commit, ReleaseRef, bundle_key, release_id
from tidegate.domain.ledger import Claim, ClaimState, Entry, Outcome, Release

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT, REGION = "123456789012", "us-east-1"
SOURCE = f"tidegate-source-{ACCOUNT}-{REGION}"
ASKS = {
    "StartAt": "AwaitApproval",
    "States": {
        "AwaitApproval": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {"QueueUrl.$": "$.queue", "MessageBody": {"token.$": "$$.Task.Token"}},
            "End": True,
        }
    },
}


def machine(states: dict[str, Any]) -> str:
    """A definition whose first state is the first of `states`."""
    return json.dumps({"StartAt": next(iter(states)), "States": states})


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "TIDEGATE_LOCAL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        yield


@pytest.fixture
def pipeline(aws: None) -> Pipeline:  # noqa: ARG001 (moto must be on first)
    session = boto3.Session(region_name=REGION)
    found = Pipeline(session, Resources.of(ACCOUNT, REGION, {"Branches": "main,next"}))
    for bucket in (found.resources.source_bucket, found.resources.artifact_bucket):
        session.client("s3").create_bucket(Bucket=bucket)
    session.client("events").create_event_bus(Name=found.resources.event_bus)
    session.client("dynamodb").create_table(
        TableName=found.resources.ledger_table,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
    )
    return found


class World:
    """The pipeline's past and present, told to the ledger and to Step Functions as the tasks tell it."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.clock = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)

    def call(self, *arguments: str) -> Result:
        """Run `tidegate` with these arguments against this pipeline."""
        return CliRunner().invoke(main, list(arguments), obj=self.pipeline)

    def run(self, name: str, definition: str, execution: str, body: object = None) -> str:
        """Make a machine of that name and run it; gives the execution's ARN."""
        machines = self.pipeline.machines
        made = machines.create_state_machine(
            name=name, definition=definition, roleArn=f"arn:aws:iam::{ACCOUNT}:role/machine"
        )
        started = machines.start_execution(
            stateMachineArn=made["stateMachineArn"], name=execution, input=json.dumps(body or {})
        )
        return started["executionArn"]

    def release(
        self,
        commit_id: str = "a1b2" * 10,
        attempt: int = 1,
        outcome: Outcome = Outcome.OPEN,
        service: str = "orders",
        reason: str = "",
        execution: str = "",
    ) -> Release:
        """A release in the ledger, with its claim and the entry that opened it; later than all before."""
        self.clock += timedelta(minutes=10)
        location = BundleLocation(bucket=SOURCE, key=bundle_key(service, "main", commit_id))
        commit = Commit(service=service, id=commit_id, branch="main", bundle=location)
        name = release_id(commit, attempt)
        ref = ReleaseRef(
            service=service,
            id=name,
            execution=execution or self.pipeline.execution(f"{service}-{name}"),
            epoch=1,
            opened_at=self.clock,
        )
        release = Release(ref=ref, commit=commit, attempt=attempt)
        self.pipeline.ledger.open_release(release)
        before = self.pipeline.ledger.read_claim(service)
        claim = Claim(service=service, epoch=1, state=ClaimState.HELD, holder=ref.execution, release=ref)
        assert self.pipeline.ledger.write_claim(claim, over=before)
        self.tell(release, "OpenRelease", f"opened for commit {commit_id[:12]} on main")
        return release if outcome is Outcome.OPEN else self.end(release, outcome, reason)

    def tell(self, release: Release, step: str, what: str, stage: str = "", **evidence: Any) -> None:
        """One more entry of a release, a second after the last."""
        self.clock += timedelta(seconds=1)
        key = f"{step}#{stage}#{self.clock.isoformat()}"
        ref = release.ref
        self.pipeline.ledger.append(
            Entry(
                service=ref.service,
                release_id=ref.id,
                key=key,
                at=self.clock,
                step=step,
                stage=stage,
                what=what,
                evidence=evidence,
            )
        )

    def end(self, release: Release, outcome: Outcome, reason: str = "") -> Release:
        """Close a release ninety seconds on."""
        self.clock += timedelta(seconds=90)
        return self.pipeline.ledger.close_release(release.ref, outcome, reason, self.clock, under=None)


@pytest.fixture
def world(pipeline: Pipeline) -> World:
    return World(pipeline)
