"""What adapters that need several of a stage's clients are given; the tools of a task have this shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient


class Place(Protocol):
    """Which stage it is, and where."""

    @property
    def name(self) -> str:
        """The stage's name."""
        ...

    @property
    def account(self) -> str:
        """Its account."""
        ...

    @property
    def region(self) -> str:
        """Its region."""
        ...


class StageClients(Protocol):
    """The clients of one stage, under its deploy role."""

    @property
    def target(self) -> Place:
        """Where it is."""
        ...

    @property
    def cloudwatch(self) -> CloudWatchClient:
        """CloudWatch of the stage."""
        ...

    @property
    def functions(self) -> LambdaClient:
        """Lambda of the stage."""
        ...

    @property
    def logs(self) -> CloudWatchLogsClient:
        """CloudWatch Logs of the stage."""
        ...

    @property
    def tables(self) -> DynamoDBClient:
        """DynamoDB of the stage."""
        ...
