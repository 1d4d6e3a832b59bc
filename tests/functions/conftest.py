"""A pipeline's own resources in moto, and the tools that a task gets there."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from tidegate.cli.bundling import make_bundle
from tidegate.domain.identity import BundleLocation, Commit, ReleaseRef, bundle_key, release_id
from tidegate.settings import Settings
from tidegate.task import Tools

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Repository

STAGES = [
    {"name": name, "account": "123456789012", "region": "us-east-1"} for name in ("staging", "production")
]
ENVIRONMENT = {
    "TIDEGATE_LEDGER_TABLE": "ledger",
    "TIDEGATE_ARTIFACT_BUCKET": "artifacts",
    "TIDEGATE_SOURCE_BUCKET": "sources",
    "TIDEGATE_STAGES": json.dumps(STAGES),
    "TIDEGATE_OTHER_STAGES": "eu",
    "TIDEGATE_BRANCHES": "main,develop",
    "TIDEGATE_RELEASE_MACHINE": "arn:aws:states:us-east-1:123456789012:stateMachine:tidegate-release",
    "TIDEGATE_SANDBOX_FUNCTION": "arn:aws:lambda:us-east-1:123456789012:function:tidegate-test-sandbox:1",
    "TIDEGATE_BUILD_RUNTIME": "python3.11",
    "TIDEGATE_BUILD_ARCHITECTURE": "x86_64",
}
ROLE = {"Version": "2012-10-17", "Statement": []}


class Pipeline:
    """Buckets, ledger and machine of a pipeline, and ways to give it a commit."""

    def __init__(self, **environment: str) -> None:
        self.tools = Tools(Settings({**ENVIRONMENT, **environment}))
        s3 = boto3.client("s3")
        for bucket in ("artifacts", "sources"):
            s3.create_bucket(Bucket=bucket)
        keys = [("pk", "HASH"), ("sk", "RANGE")]
        boto3.client("dynamodb").create_table(
            TableName="ledger",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
            BillingMode="PAY_PER_REQUEST",
        )

    def make_machine(self) -> None:
        role = boto3.client("iam").create_role(RoleName="machine", AssumeRolePolicyDocument=json.dumps(ROLE))
        boto3.client("stepfunctions").create_state_machine(
            name="tidegate-release",
            definition=json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}),
            roleArn=role["Role"]["Arn"],
        )

    def push(self, repository: Repository, service: str = "orders", name: str = "HEAD") -> Commit:
        """Write a bundle of a commit to the source bucket, as `tidegate push` does."""
        commit_id = repository.git("rev-parse", name)
        key = bundle_key(service, "main", commit_id)
        self.tools.sources.write_bytes(key, make_bundle(repository.folder, commit_id))
        return Commit(
            service=service, id=commit_id, branch="main", bundle=BundleLocation(bucket="sources", key=key)
        )

    def ref(self, commit: Commit) -> ReleaseRef:
        return ReleaseRef(
            service=commit.service,
            id=release_id(commit, 1),
            execution="arn:execution",
            epoch=1,
            opened_at=datetime(2026, 1, 1, tzinfo=UTC),
        )

    def told(self, commit: Commit) -> list[str]:
        return [entry.what for entry in self.tools.ledger.entries(commit.service, self.ref(commit).id)]

    def keys(self, prefix: str) -> list[str]:
        found: Any = boto3.client("s3").list_objects_v2(Bucket="artifacts", Prefix=prefix)
        return [item["Key"] for item in found.get("Contents", [])]


@pytest.fixture
def aws_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)


@pytest.fixture
def pipeline(aws_environment: None) -> Iterator[Pipeline]:  # noqa: ARG001
    with mock_aws():
        yield Pipeline()
