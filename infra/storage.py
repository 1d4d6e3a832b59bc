"""What the pipeline keeps: artifacts and documents, sources, the ledger, and events that nobody could take.

Buckets, the ledger and retained versions outlive the stack: they hold what a release may still need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.findings import accept
from tidegate.domain import pipeline as names

if TYPE_CHECKING:
    from tidegate.domain.pipeline import ObjectLock, Stage

NO_ACCESS_LOGS: Final = (
    "Who wrote what stands in the ledger and in CloudTrail; the bucket of access logs would have none itself."
)
SOURCE_DAYS: Final = 30
ERRAND_DAYS: Final = 7
NONCURRENT_DAYS: Final = 30


def private_bucket(
    scope: Construct,
    construct_id: str,
    name: str,
    rules: list[s3.LifecycleRule],
    lock: ObjectLock | None = None,
) -> s3.Bucket:
    """A bucket with versions, encrypted, closed to the public and to plain HTTP; locked or not."""
    bucket = s3.Bucket(
        scope,
        construct_id,
        bucket_name=name,
        versioned=True,
        encryption=s3.BucketEncryption.S3_MANAGED,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        removal_policy=RemovalPolicy.RETAIN,
        lifecycle_rules=[*rules, *_housekeeping()],
        object_lock_enabled=True if lock else None,
        object_lock_default_retention=_retain(lock) if lock else None,
    )
    accept(bucket, "AwsSolutions-S1", NO_ACCESS_LOGS)
    return bucket


def _retain(lock: ObjectLock) -> s3.ObjectLockRetention:
    days = Duration.days(lock.days)
    if lock.mode == "COMPLIANCE":
        return s3.ObjectLockRetention.compliance(days)
    return s3.ObjectLockRetention.governance(days)


def _housekeeping() -> list[s3.LifecycleRule]:
    return [
        s3.LifecycleRule(
            id="housekeeping",
            noncurrent_version_expiration=Duration.days(NONCURRENT_DAYS),
            abort_incomplete_multipart_upload_after=Duration.days(7),
        )
    ]


class Storage(Construct):
    """The pipeline's buckets, table and queues."""

    def __init__(
        self, scope: Construct, construct_id: str, *, account: str, region: str, lock: ObjectLock | None
    ) -> None:
        super().__init__(scope, construct_id)
        # Documents of releases are the janitor's: it knows which of them one may still go back to.
        # What CodeBuild is given and gives back counts for as long as a release waits for it.
        errands = s3.LifecycleRule(id="errands", prefix="errands/", expiration=Duration.days(ERRAND_DAYS))
        name = names.artifact_bucket(account, region)
        self.artifacts = private_bucket(self, "Artifacts", name, [errands], lock)
        self.sources = self._source_bucket(names.source_bucket(account, region))
        self.ledger = self._table()
        self.undelivered = self._queue("Undelivered", names.UNDELIVERED_QUEUE)
        self.refused = self._queue("Refused", names.REFUSED_QUEUE)

    def admit(self, stage: Stage) -> None:
        """Let a stage in another account copy artifacts into its own bucket."""
        copier = f"arn:{Aws.PARTITION}:iam::{stage.account}:role/{stage.deploy_role}"
        self.artifacts.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["s3:GetObject"],
                principals=[iam.AccountPrincipal(stage.account)],
                resources=[self.artifacts.arn_for_objects(f"{kind}/*") for kind in names.COPIED],
                conditions={"ArnEquals": {"aws:PrincipalArn": copier}},
            )
        )

    def _source_bucket(self, name: str) -> s3.Bucket:
        bundles = s3.LifecycleRule(id="bundles", expiration=Duration.days(SOURCE_DAYS))
        bucket = private_bucket(self, "Sources", name, [bundles])
        resource = bucket.node.default_child
        if not isinstance(resource, s3.CfnBucket):
            raise TypeError("a bucket's own resource is expected under it")
        # By the property itself: the construct's own switch would bring a custom resource and its function.
        resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(
                event_bridge_enabled=True
            )
        )
        return bucket

    def _table(self) -> dynamodb.Table:
        return dynamodb.Table(
            self,
            "Ledger",
            table_name=names.LEDGER_TABLE,
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            encryption=dynamodb.TableEncryption.AWS_MANAGED,
            deletion_protection=True,
            removal_policy=RemovalPolicy.RETAIN,
        )

    def _queue(self, construct_id: str, name: str) -> sqs.Queue:
        queue = sqs.Queue(
            self,
            construct_id,
            queue_name=name,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        accept(queue, "AwsSolutions-SQS3", "This queue is itself where undelivered and refused events end.")
        return queue
