"""A stage's stack, in its account and region: roles, a bucket, telemetry, and the way back for its alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Aws, DefaultStackSynthesizer, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.collector import Collector
from infra.events import LONGEST_DELAY_HOURS, bus_arn
from infra.findings import accept
from infra.images import StageImages
from infra.rights import arn
from infra.stage_boundary import Boundary
from infra.stage_roles import CloudFormationRole, DeployRole
from infra.storage import private_bucket
from tidegate.domain import pipeline as names

if TYPE_CHECKING:
    from pathlib import Path

    from aws_cdk import Environment

    from tidegate.domain.pipeline import Pipeline, Stage


class StageStack(Stack):
    """What a pipeline needs in an account and region that it releases to."""

    def __init__(
        self, scope: Construct, *, root: Path, pipeline: Pipeline, stage: Stage, env: Environment
    ) -> None:
        super().__init__(
            scope,
            f"Stage-{stage.name}",
            stack_name=stage.stack,
            env=env,
            synthesizer=DefaultStackSynthesizer(generate_bootstrap_version_rule=False),
            description=f"Tidegate: the stage {stage.name}",
        )
        account, region = pipeline.account or Aws.ACCOUNT_ID, pipeline.region or Aws.REGION
        boundary = Boundary(self, "Boundary", stage=stage).policy
        cloudformation = CloudFormationRole(
            self, "CloudFormation", stage=stage, pipeline=pipeline, boundary=boundary
        )
        DeployRole(
            self,
            "Deploy",
            stage=stage,
            pipeline=(account, region),
            passed=cloudformation.role,
            images=bool(pipeline.images),
        )
        if pipeline.images:
            StageImages(self, "Images", stage=stage)
        bucket = stage.bucket(Aws.ACCOUNT_ID, Aws.REGION)
        private_bucket(self, "Artifacts", bucket, [], pipeline.object_lock)
        Collector(self, "Telemetry", root=root, pipeline=pipeline, stage=stage)
        Forwarding(self, "Forwarding", stage=stage, bus=bus_arn(account, region))


class Forwarding(Construct):
    """Sends the state changes of the stage's rollout alarms to the pipeline's bus."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage, bus: str) -> None:
        super().__init__(scope, construct_id)
        rule = arn("events", f"rule/{stage.forward_rule}")
        queue = self._queue(stage, rule)
        # Stages may share an account and region: each forwards its own alarms and no other's.
        alarms = f"{names.ALARM_PREFIX}*/{stage.name}/*"
        events.CfnRule(
            self,
            "Rule",
            name=stage.forward_rule,
            description=f"Alarms of rollouts in {stage.name}, to the pipeline",
            event_pattern={
                "source": ["aws.cloudwatch"],
                "detail-type": ["CloudWatch Alarm State Change"],
                "detail": {"alarmName": [{"wildcard": alarms}]},
            },
            targets=[
                events.CfnRule.TargetProperty(
                    id="Pipeline",
                    arn=bus,
                    role_arn=self._role(stage, bus).role_arn,
                    dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=queue.queue_arn),
                    retry_policy=events.CfnRule.RetryPolicyProperty(
                        maximum_retry_attempts=185, maximum_event_age_in_seconds=LONGEST_DELAY_HOURS * 3600
                    ),
                )
            ],
        )

    def _role(self, stage: Stage, bus: str) -> iam.Role:
        put = iam.PolicyStatement(actions=["events:PutEvents"], resources=[bus])
        return iam.Role(
            self,
            "Role",
            role_name=stage.forward_rule,
            assumed_by=iam.ServicePrincipal("events.amazonaws.com"),
            inline_policies={"forward": iam.PolicyDocument(statements=[put])},
        )

    def _queue(self, stage: Stage, rule: str) -> sqs.Queue:
        queue = sqs.Queue(
            self,
            "Undelivered",
            queue_name=f"{names.UNDELIVERED_QUEUE}-{stage.name}",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )
        accept(queue, "AwsSolutions-SQS3", "This queue is itself where undelivered events end.")
        queue.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["sqs:SendMessage"],
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                resources=[queue.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": rule}},
            )
        )
        return queue
