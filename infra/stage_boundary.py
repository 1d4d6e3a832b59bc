"""The policy that bounds what a deployment to a stage may do, whatever its template says.

Whoever can push a commit decides what CloudFormation makes: docs/decisions/0012-stage-boundary.md says what
the boundary holds and what it cannot hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.findings import accept, accept_wildcards
from infra.rights import arn, object_arn, role_arn
from infra.statements import deny
from tidegate.domain import pipeline as names

if TYPE_CHECKING:
    from tidegate.domain.pipeline import Stage


class Boundary(Construct):
    """The policy that bounds what a deployment may do, whatever its template says."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id)
        own = [role_arn(f"{names.NAME}-*"), arn("iam", f"policy/{names.NAME}-*", region="")]
        self.policy = iam.ManagedPolicy(
            self,
            "Policy",
            managed_policy_name=stage.boundary,
            description=f"What a release to {stage.name} can never do",
            statements=[
                iam.PolicyStatement(sid="WhatIsNotDenied", actions=["*"], resources=["*"]),
                deny("TidegatesOwnRights", ["iam:*", "sts:AssumeRole"], own),
                deny("TidegatesOwnParts", ["*"], _own_parts()),
                deny("TidegatesOwnObjects", _OBJECT_WRITES, [object_arn(f"{names.NAME}-*", "*")]),
                deny(
                    "TidegatesOwnImages", _IMAGE_WRITES, [arn("ecr", f"repository/{names.IMAGE_REPOSITORY}*")]
                ),
                deny("TidegatesOwnKeys", ["kms:*"], ["*"], _OWN_KEYS),
                deny("PeopleAndFederation", list(_IDENTITIES), ["*"]),
                deny("TheAccountItself", list(_ACCOUNT), ["*"]),
            ],
        )
        accept_wildcards(
            self.policy, ["*"], "A boundary grants nothing by itself: it takes away from what is granted."
        )
        accept(
            self.policy,
            "AwsSolutions-IAM5[Action::*]",
            "A boundary grants nothing by itself: it takes away from what is granted.",
        )


_OBJECT_WRITES: Final = ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObject"]
_IMAGE_WRITES: Final = ["ecr:*Delete*", "ecr:*Upload*", "ecr:Put*", "ecr:SetRepositoryPolicy"]
# A key is told by its aliases: its ARN has no name, and is the pipeline's stack's to know.
_OWN_KEYS: Final = {"ForAnyValue:StringLike": {"kms:ResourceAliases": f"alias/{names.NAME}-*"}}
_IDENTITIES: Final = (
    "iam:*AccessKey*",
    "iam:*Group*",
    "iam:*LoginProfile*",
    "iam:*MFADevice*",
    "iam:*OpenIDConnectProvider*",
    "iam:*SAMLProvider*",
    "iam:*User*",
    "iam:DeleteRolePermissionsBoundary",
    "iam:UpdateAccountPasswordPolicy",
)
_ACCOUNT: Final = (
    "account:*",
    "cloudtrail:DeleteTrail",
    "cloudtrail:StopLogging",
    "cloudtrail:UpdateTrail",
    "config:DeleteConfigurationRecorder",
    "config:StopConfigurationRecorder",
    "guardduty:DeleteDetector",
    "organizations:*",
)


def _own_parts() -> list[str]:
    """What belongs to Tidegate, but for the side stacks of services and their alarms."""
    return [
        arn("lambda", f"function:{names.NAME}-*"),
        arn("states", f"stateMachine:{names.NAME}-*"),
        arn("states", f"execution:{names.NAME}-*"),
        arn("dynamodb", f"table/{names.NAME}-*"),
        arn("events", f"event-bus/{names.NAME}"),
        arn("events", f"rule/{names.NAME}*"),
        arn("sns", f"{names.NAME}-*"),
        arn("sqs", f"{names.NAME}-*"),
        arn("kms", f"alias/{names.NAME}-*"),
        arn("cloudformation", f"stack/{names.NAME}/*"),
        arn("cloudformation", f"stack/{names.NAME}-stage-*"),
        object_arn(f"{names.NAME}-source-*"),
        object_arn(f"{names.NAME}-source-*", "*"),
    ]
