"""Repositories of container images: the pipeline's own, that builds push to, and one for each stage.

They are made where the configuration names images to build on. Tags are content keys and never move; nothing
expires, as with artifacts in the buckets: a version of a function needs its image as long as it stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import RemovalPolicy
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.rights import arn
from infra.statements import allow

if TYPE_CHECKING:
    from tidegate.domain.pipeline import Stage

# What brings an image into a repository; reading it back by its tag is part of it.
PUSH: Final = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
)
READ: Final = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
ANY_REPOSITORY: Final = arn("ecr", "repository/*")


class ImageRepository(Construct):
    """A repository whose tags do not move, and which outlives its stack."""

    def __init__(self, scope: Construct, construct_id: str, *, name: str) -> None:
        super().__init__(scope, construct_id)
        self.repository = ecr.Repository(
            self,
            "Repository",
            repository_name=name,
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            removal_policy=RemovalPolicy.RETAIN,
        )


class StageImages(Construct):
    """A stage's repository, which Lambda reads for the functions of its own account and region.

    They are told by their ARN alone, which is what Lambda is documented to send.
    Source: AWS Lambda Developer Guide, "Amazon ECR permissions".
    """

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id)
        repository = ImageRepository(self, "Images", name=stage.image_repository).repository
        functions = arn("lambda", "function:*")
        repository.add_to_resource_policy(
            iam.PolicyStatement(
                actions=list(READ),
                principals=[iam.ServicePrincipal("lambda.amazonaws.com")],
                conditions={"ArnLike": {"aws:SourceArn": functions}},
            )
        )


def deploy_rights(stage: Stage) -> list[iam.PolicyStatement]:
    """What the deploy role may do: bring images."""
    return [allow(PUSH, [repository_arn(stage.image_repository)])]


def function_rights() -> list[iam.PolicyStatement]:
    """What whoever makes a function needs on its image; an adopted stack may go back to one of its own.

    Source: AWS Lambda Developer Guide, "Create a Lambda function using a container image".
    """
    return [allow((*READ, "ecr:GetRepositoryPolicy"), [ANY_REPOSITORY])]


def repository_arn(name: str) -> str:
    """The ARN of a repository in the stack's own account and region."""
    return arn("ecr", f"repository/{name}")
