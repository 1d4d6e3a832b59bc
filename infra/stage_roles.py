"""The two roles of a stage: the one that tasks assume, and the one that CloudFormation works with, bounded.

The boundary is in infra/stage_boundary.py: it holds whatever CloudFormation makes for a service, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.findings import accept_wildcards
from infra.images import ANY_REPOSITORY, deploy_rights, function_rights
from infra.rights import arn, object_arn, role_arn
from infra.statements import allow, deny, policy
from infra.tasks import DEPLOYERS
from tidegate.domain import pipeline as names

if TYPE_CHECKING:
    from tidegate.domain.pipeline import Pipeline, Stage

ANY_SERVICE: Final = "A stage serves many services; their stacks and functions are named by their templates."
NO_RESOURCES: Final = "These calls know no resources, or answer in full only where they are allowed on all."
# As Application Auto Scaling names the alarms that it makes.
SCALING_ALARMS: Final = arn("cloudwatch", "alarm:TargetTracking-*")
# An application and all that is in it: calls about a deployment are authorized on the three together.
FLAGS: Final = arn("appconfig", "application/*")
UNKNOWN_TEMPLATES: Final = (
    "CloudFormation makes what services' templates ask for; the boundary and the list of services limit it."
)
# Changes to a role; with `bounded_roles` they need the boundary on the role.
ROLE_CHANGES: Final = (
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
)
ROLE_UPKEEP: Final = (
    "iam:CreatePolicy",
    "iam:CreatePolicyVersion",
    "iam:DeletePolicy",
    "iam:DeletePolicyVersion",
    "iam:DeleteRole",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListPolicyVersions",
    "iam:ListRolePolicies",
    "iam:PassRole",
    "iam:TagPolicy",
    "iam:TagRole",
    "iam:UntagPolicy",
    "iam:UntagRole",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateRole",
    "iam:UpdateRoleDescription",
)
# Network interfaces of functions in a VPC.
READS: Final = (
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
)
# Nested stacks, and the change sets of them that come with their parent's.
NESTING: Final = (
    "cloudformation:CreateChangeSet",
    "cloudformation:CreateStack",
    "cloudformation:DeleteChangeSet",
    "cloudformation:DeleteStack",
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStackResources",
    "cloudformation:DescribeStacks",
    "cloudformation:ExecuteChangeSet",
    "cloudformation:TagResource",
    "cloudformation:UntagResource",
    "cloudformation:UpdateStack",
)
# They are named `<parent>-<logical id>-<suffix>`; what the parents are called is for services to say.
NESTED_STACKS: Final = arn("cloudformation", "stack/*-*-*/*")


class CloudFormationRole(Construct):
    """The role that CloudFormation works with; the boundary holds whatever its own policy grants."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        pipeline: Pipeline,
        boundary: iam.IManagedPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        granted = [f"{service}:*" for service in pipeline.services]
        images = {"images": policy(*function_rights())} if pipeline.images else {}
        bound = {"StringEquals": {"iam:PermissionsBoundary": boundary.managed_policy_arn}}
        bucket = stage.bucket(Aws.ACCOUNT_ID, Aws.REGION)
        service_roles = role_arn("aws-service-role/*")
        role = iam.Role(
            self,
            "Role",
            role_name=stage.cloudformation_role,
            assumed_by=iam.ServicePrincipal("cloudformation.amazonaws.com"),
            description=f"CloudFormation makes the services of {stage.name} with it",
            permissions_boundary=boundary,
            inline_policies={
                "services": policy(
                    allow([*granted, *READS], ["*"]),
                    allow(NESTING, [NESTED_STACKS]),
                    allow(("s3:GetObject",), [object_arn(bucket, "*")]),
                ),
                "roles": policy(
                    allow(ROLE_CHANGES, ["*"], bound if stage.bounded_roles else None),
                    allow(ROLE_UPKEEP, ["*"]),
                    # Scaling, domains and the like need one of AWS's own roles, once in an account.
                    allow(("iam:CreateServiceLinkedRole",), [service_roles]),
                ),
                **images,
            },
        )
        self.role = role.without_policy_updates()
        accept_wildcards(
            role, [*granted, "*", NESTED_STACKS, ANY_REPOSITORY, service_roles], UNKNOWN_TEMPLATES
        )
        accept_wildcards(role, [object_arn(bucket, "*")], "Artifacts are named by their content.")


class DeployRole(Construct):
    """The role that tasks assume to work in the stage: exactly those that do, by name.

    `pipeline` is the account and region of the pipeline; `images`: whether functions may be packaged as such.
    The trust is in its account on the condition of
    these roles, so that it holds before they are made and after they are made anew.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        pipeline: tuple[str, str],
        passed: iam.IRole,
        images: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        account = pipeline[0]
        callers = [role_arn(name, account) for name in DEPLOYERS]
        trust = iam.PrincipalWithConditions(
            iam.AccountPrincipal(account), {"ArnEquals": {"aws:PrincipalArn": callers}}
        )
        bucket = stage.bucket(Aws.ACCOUNT_ID, Aws.REGION)
        originals = [object_arn(names.artifact_bucket(*pipeline), f"{kind}/*") for kind in names.COPIED]
        role = iam.Role(
            self,
            "Role",
            role_name=stage.deploy_role,
            assumed_by=trust,
            description=f"Tidegate's tasks release to {stage.name} with it",
            inline_policies={
                "stacks": policy(*_stack_rights(passed)),
                "functions": policy(*_function_rights()),
                "roles": policy(*_role_rights()),
                "scaling": policy(*_scaling_rights()),
                "flags": policy(*_flag_rights()),
                "signals": policy(*_signal_rights(stage)),
                "artifacts": policy(*_artifact_rights(bucket, originals)),
                **({"images": policy(*deploy_rights(stage))} if images else {}),
            },
        )
        accept_wildcards(role, [*_services(), role_arn("*"), *_policies()], ANY_SERVICE)
        accept_wildcards(role, ["*"], NO_RESOURCES)
        accept_wildcards(role, [object_arn(bucket, "*"), *originals], "Artifacts are named by their content.")


def _services() -> list[str]:
    """What belongs to services, whatever they are called."""
    return [
        FLAGS,
        arn("application-autoscaling", "scalable-target/*"),
        SCALING_ALARMS,
        arn("cloudformation", "stack/*"),
        arn("lambda", "function:*"),
        arn("lambda", "function:*:*"),
        arn("logs", "log-group:*"),
    ]


def _artifact_rights(bucket: str, originals: list[str]) -> list[iam.PolicyStatement]:
    return [
        allow(("s3:GetObject", "s3:PutObject"), [object_arn(bucket, "*")]),
        allow(("s3:ListBucket",), [object_arn(bucket)]),
        allow(("s3:GetObject",), originals),
    ]


def _stack_rights(passed: iam.IRole) -> list[iam.PolicyStatement]:
    own = [
        arn("cloudformation", f"stack/{names.NAME}/*"),
        arn("cloudformation", f"stack/{names.NAME}-stage-*"),
    ]
    to_cloudformation = {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}}
    return [
        allow(
            (
                "cloudformation:CreateChangeSet",
                "cloudformation:CreateStack",
                "cloudformation:DeleteChangeSet",
                "cloudformation:DeleteStack",
                "cloudformation:DescribeChangeSet",
                "cloudformation:DescribeStackEvents",
                "cloudformation:DescribeStacks",
                "cloudformation:ExecuteChangeSet",
                "cloudformation:GetTemplate",
                "cloudformation:ListStackResources",
                "cloudformation:TagResource",
            ),
            [arn("cloudformation", "stack/*")],
        ),
        deny("TidegatesOwnStacks", ["cloudformation:*"], own),
        allow(("iam:PassRole",), [passed.role_arn], to_cloudformation),
    ]


def _function_rights() -> list[iam.PolicyStatement]:
    functions = arn("lambda", "function:*")
    return [
        allow(
            (
                "lambda:DeleteProvisionedConcurrencyConfig",
                "lambda:GetAlias",
                "lambda:GetFunction",
                "lambda:GetPolicy",
                "lambda:GetProvisionedConcurrencyConfig",
                "lambda:InvokeFunction",
                "lambda:ListAliases",
                "lambda:ListDurableExecutionsByFunction",
                "lambda:ListFunctionEventInvokeConfigs",
                "lambda:ListProvisionedConcurrencyConfigs",
                "lambda:ListVersionsByFunction",
                "lambda:PublishVersion",
                "lambda:PutProvisionedConcurrencyConfig",
                "lambda:UpdateAlias",
            ),
            [functions],
        ),
        # Versions only: the ARN of a whole function has no qualifier.
        allow(("lambda:DeleteFunction",), [arn("lambda", "function:*:*")]),
        allow(("lambda:GetAccountSettings", "lambda:ListEventSourceMappings"), ["*"]),
        deny("TidegatesOwnFunctions", ["lambda:*"], [arn("lambda", f"function:{names.NAME}-*")]),
    ]


def _role_rights() -> list[iam.PolicyStatement]:
    """What the roles of services have is read, so that it can be held; only CloudFormation writes them."""
    return [
        allow(("iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"), [role_arn("*")]),
        allow(("iam:GetPolicyVersion", "iam:ListPolicyVersions"), _policies()),
    ]


def _policies() -> list[str]:
    """Managed policies: the account's own, and AWS's."""
    return [arn("iam", "policy/*", region="", account=account) for account in (Aws.ACCOUNT_ID, "aws")]


def _scaling_rights() -> list[iam.PolicyStatement]:
    """Scaling of provisioned concurrency: of Lambda's targets alone, and the one role that AWS does it by.

    Each call tries the caller's own rights on provisioned concurrency and on the alarms that AWS makes
    for it, and is refused where one is missing. Source: Application Auto Scaling User Guide, "Permissions
    validation for Application Auto Scaling API calls on target resources".
    """
    lambdas = {"StringEquals": {"application-autoscaling:service-namespace": "lambda"}}
    own_role = "aws-service-role/lambda.application-autoscaling.amazonaws.com/"
    own_role += "AWSServiceRoleForApplicationAutoScaling_LambdaConcurrency"
    return [
        allow(
            (
                "application-autoscaling:DeregisterScalableTarget",
                "application-autoscaling:PutScalingPolicy",
                "application-autoscaling:PutScheduledAction",
                "application-autoscaling:RegisterScalableTarget",
            ),
            [arn("application-autoscaling", "scalable-target/*")],
            lambdas,
        ),
        allow(("application-autoscaling:DescribeScalableTargets",), ["*"]),
        allow(("iam:CreateServiceLinkedRole",), [role_arn(own_role)]),
        allow(("cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm"), [SCALING_ALARMS]),
    ]


def _flag_rights() -> list[iam.PolicyStatement]:
    """Deployments of services' flags are found and taken back; only CloudFormation starts any.

    Source: Service Authorization Reference, "Actions, resources, and condition keys for AWS AppConfig".
    """
    return [
        allow(
            (
                "appconfig:GetDeployment",
                "appconfig:ListDeployments",
                "appconfig:ListTagsForResource",
                "appconfig:StopDeployment",
            ),
            [FLAGS],
        )
    ]


def _signal_rights(stage: Stage) -> list[iam.PolicyStatement]:
    telemetry = arn("dynamodb", f"table/{stage.telemetry_table}")
    return [
        # Composite alarms are described to those alone who may describe everything.
        allow(("cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData"), ["*"]),
        allow(
            (
                "logs:CreateLogGroup",
                "logs:DeleteSubscriptionFilter",
                "logs:DescribeSubscriptionFilters",
                "logs:FilterLogEvents",
                "logs:PutSubscriptionFilter",
            ),
            [arn("logs", "log-group:*")],
        ),
        allow(("dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:Query"), [telemetry]),
    ]
