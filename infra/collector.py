"""What collects a stage's telemetry: a function that CloudWatch Logs calls while a rollout runs, its table.

Both cost nothing while nothing is released. The concurrency that is reserved bounds what they may cost, and
keeps a flood of log lines from the functions that it comes from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra import code
from infra.findings import WRITTEN_ORDER, accept, accept_lint
from infra.functions import accept_runtime, architecture, layer, role
from infra.journal import log_group
from infra.rights import arn, stage_resources
from infra.tasks import COLLECTOR
from tidegate.domain import pipeline as names

if TYPE_CHECKING:
    from pathlib import Path

    from tidegate.domain.pipeline import Pipeline, Stage

# Older events say nothing that is still judged: `tidegate.adapters.telemetry` reads no further back.
OLDEST_EVENT: Final = 240
LOG_DAYS: Final = 7


class Collector(Construct):
    """The function with role, log group and table, and the right of the account's log groups to call it."""

    def __init__(
        self, scope: Construct, construct_id: str, *, root: Path, pipeline: Pipeline, stage: Stage
    ) -> None:
        super().__init__(scope, construct_id)
        self._table(stage)
        function = self._function(root, pipeline, stage)
        lambda_.CfnPermission(
            self,
            "Subscriptions",
            action="lambda:InvokeFunction",
            function_name=function.function_name,
            principal="logs.amazonaws.com",
            source_account=Aws.ACCOUNT_ID,
            source_arn=arn("logs", "log-group:*:*"),
        )

    def _function(self, root: Path, pipeline: Pipeline, stage: Stage) -> lambda_.Function:
        function = lambda_.Function(
            self,
            "Function",
            function_name=stage.collector,
            runtime=lambda_.Runtime(pipeline.runtime, lambda_.RuntimeFamily.PYTHON),
            architecture=architecture(pipeline),
            handler=names.handler(COLLECTOR.name),
            code=code.asset(self, root, pipeline),
            layers=[layer(self, "dependencies", root / pipeline.layers.dependencies, pipeline)],
            memory_size=COLLECTOR.memory,
            timeout=Duration.seconds(COLLECTOR.timeout),
            role=role(self, COLLECTOR, stage.collector, stage_resources(stage)),
            log_group=log_group(self, f"/aws/lambda/{stage.collector}", LOG_DAYS),
            logging_format=lambda_.LoggingFormat.JSON,
            # Three lines for each delivery would be most of what it costs.
            system_log_level_v2=lambda_.SystemLogLevel.WARN,
            application_log_level_v2=lambda_.ApplicationLogLevel.WARN,
            tracing=lambda_.Tracing.ACTIVE,
            reserved_concurrent_executions=stage.collectors,
            max_event_age=Duration.seconds(OLDEST_EVENT),
            retry_attempts=2,
        )
        accept_runtime(function, pipeline)
        accept_lint(function, WRITTEN_ORDER)
        return function

    def _table(self, stage: Stage) -> None:
        table = dynamodb.Table(
            self,
            "Table",
            table_name=stage.telemetry_table,
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute="expires",
            removal_policy=RemovalPolicy.DESTROY,
        )
        accept(table, "AwsSolutions-DDB3", "What it holds is of use for minutes and gone after two days.")
