"""A deployed pipeline as the operator's verbs see it: what its parts are called, and the clients to them.

Names are those that the infrastructure gives (tidegate.domain.pipeline); the stack's outputs go before them.
May not decide anything about releases.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import ClientError

from tidegate.adapters.documents import Documents
from tidegate.adapters.ledger import Ledger
from tidegate.cli.failures import Failed
from tidegate.domain import pipeline as names
from tidegate.domain.identity import Frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    import boto3
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient

CLIENT_CONFIG = Config(retries={"mode": "standard", "max_attempts": 5}, connect_timeout=5, read_timeout=60)


class Resources(Frozen):
    """What the parts of a pipeline are called; the machines by ARN.

    `branches` are those that it releases, empty where its stack does not say. `trusted_keys` are the KMS keys
    whose statements it takes.
    """

    account: str
    region: str
    ledger_table: str
    artifact_bucket: str
    source_bucket: str
    event_bus: str
    release_machine: str
    rollback_machine: str
    branches: tuple[str, ...] = ()
    trusted_keys: tuple[str, ...] = (names.SIGNING_ALIAS,)

    @classmethod
    def of(
        cls, account: str, region: str, outputs: Mapping[str, str] | None = None, partition: str = "aws"
    ) -> Resources:
        """The names in an account and region; an output of the stack goes before the usual name."""
        machine = f"arn:{partition}:states:{region}:{account}:stateMachine:"
        usual = {
            "LedgerTable": names.LEDGER_TABLE,
            "ArtifactBucket": names.artifact_bucket(account, region),
            "SourceBucket": names.source_bucket(account, region),
            "EventBus": names.EVENT_BUS,
            "ReleaseMachine": machine + names.RELEASE_MACHINE,
            "RollbackMachine": machine + names.ROLLBACK_MACHINE,
            "TrustedKeys": names.SIGNING_ALIAS,
        }
        found = {**usual, **(outputs or {})}
        return cls(
            account=account,
            region=region,
            ledger_table=found["LedgerTable"],
            artifact_bucket=found["ArtifactBucket"],
            source_bucket=found["SourceBucket"],
            event_bus=found["EventBus"],
            release_machine=found["ReleaseMachine"],
            rollback_machine=found["RollbackMachine"],
            branches=tuple(filter(None, found.get("Branches", "").split(","))),
            trusted_keys=tuple(filter(None, found["TrustedKeys"].split(","))),
        )


class Pipeline:
    """The pipeline's parts, each client made when it is first asked for."""

    def __init__(self, session: boto3.Session, resources: Resources, endpoint_url: str | None = None) -> None:
        self.session = session
        self.resources = resources
        self.endpoint_url = endpoint_url

    @classmethod
    def find(
        cls,
        session: boto3.Session,
        stack_name: str = names.PIPELINE_STACK,
        endpoint_url: str | None = None,
    ) -> Pipeline:
        """The pipeline of a stack; LookupError where the stack does not exist.

        Account and region are the stack's own, read off its id (AWS CloudFormation API Reference, "Stack").
        """
        client = session.client("cloudformation", endpoint_url=endpoint_url, config=CLIENT_CONFIG)
        try:
            stack = client.describe_stacks(StackName=stack_name)["Stacks"][0]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationError":
                raise
            where = client.meta.region_name
            message = f"no stack {stack_name} in {where}: deploy the pipeline there, or name another region"
            raise LookupError(message) from None
        outputs = {item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", [])}
        _, partition, _, region, account, _ = stack["StackId"].split(":", 5)
        return cls(session, Resources.of(account, region, outputs, partition), endpoint_url)

    @property
    def flag(self) -> str:
        """The option that leads another command to the same pipeline."""
        return " --local" if self.endpoint_url else ""

    def client(self, service: str) -> Any:  # noqa: ANN401 (boto3's clients have a type each)
        """A client of a service, where the pipeline is."""
        return self.session.client(  # type: ignore[call-overload]
            service, region_name=self.resources.region, endpoint_url=self.endpoint_url, config=CLIENT_CONFIG
        )

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger."""
        client: DynamoDBClient = self.client("dynamodb")
        return Ledger(client, self.resources.ledger_table)

    @cached_property
    def documents(self) -> Documents:
        """The artifact bucket, with the releases' documents."""
        return Documents(self._buckets, self.resources.artifact_bucket)

    @cached_property
    def sources(self) -> Documents:
        """The source bucket."""
        return Documents(self._buckets, self.resources.source_bucket)

    @cached_property
    def _buckets(self) -> S3Client:
        client: S3Client = self.client("s3")
        return client

    @cached_property
    def machines(self) -> SFNClient:
        """Step Functions."""
        client: SFNClient = self.client("stepfunctions")
        return client

    @cached_property
    def identity(self) -> str:
        """The ARN of who calls."""
        return str(self.client("sts").get_caller_identity()["Arn"])

    def execution(self, name: str) -> str:
        """The ARN of an execution of the release machine."""
        return f"{self.resources.release_machine.replace(':stateMachine:', ':execution:')}:{name}"

    def put_event(self, kind: str, detail: Mapping[str, Any]) -> None:
        """Put one of Tidegate's own events on its bus; an entry that the bus refuses is an error."""
        entry = {
            "EventBusName": self.resources.event_bus,
            "Source": names.EVENT_SOURCE,
            "DetailType": kind,
            "Detail": json.dumps(detail, sort_keys=True),
        }
        answer = self.client("events").put_events(Entries=[entry])
        if answer["FailedEntryCount"]:
            refused = answer["Entries"][0]
            raise Failed(f"the bus refused {kind}: {refused.get('ErrorCode')}: {refused.get('ErrorMessage')}")
