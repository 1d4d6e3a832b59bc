"""The project at CodeBuild that makes what Tidegate's own builder cannot: foreign code runs in it.

Whatever a build runs has the role of its project. So that role may write lines to its own log group, and
nothing else: input and output go by URLs that are signed for one build (infra/build_tasks.py, AwaitBuilds).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.findings import accept, accept_wildcards
from infra.journal import log_group
from infra.rights import arn
from tidegate.domain import pipeline as names

if TYPE_CHECKING:
    from pathlib import Path

    from tidegate.domain.pipeline import Pipeline

BUILDSPEC: Final = ("infra", "buildspec.yaml")
COMPUTE: Final = "BUILD_GENERAL1_SMALL"


class Builds(Construct):
    """One project; each build names its own image and architecture."""

    def __init__(self, scope: Construct, construct_id: str, *, root: Path, pipeline: Pipeline) -> None:
        super().__init__(scope, construct_id)
        group = log_group(self, names.BUILD_LOGS, pipeline.log_retention_days)
        self.project = codebuild.CfnProject(
            self,
            "Project",
            name=names.BUILD_PROJECT,
            description="Builds what Tidegate cannot build without running foreign code",
            service_role=self._role().role_arn,
            source=codebuild.CfnProject.SourceProperty(
                type="NO_SOURCE", build_spec=root.joinpath(*BUILDSPEC).read_text()
            ),
            artifacts=codebuild.CfnProject.ArtifactsProperty(type="NO_ARTIFACTS"),
            environment=codebuild.CfnProject.EnvironmentProperty(
                type=pipeline.build_environment["type"],
                image=pipeline.build_environment["image"],
                compute_type=COMPUTE,
                image_pull_credentials_type="SERVICE_ROLE",
                privileged_mode=False,
            ),
            logs_config=codebuild.CfnProject.LogsConfigProperty(
                cloud_watch_logs=codebuild.CfnProject.CloudWatchLogsConfigProperty(
                    status="ENABLED", group_name=group.log_group_name
                )
            ),
            timeout_in_minutes=names.BUILD_MINUTES[0],
            queued_timeout_in_minutes=names.BUILD_MINUTES[1],
        )
        self._accept()

    def _role(self) -> iam.Role:
        streams = arn("logs", f"log-group:{names.BUILD_LOGS}:*")
        statement = iam.PolicyStatement(
            actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[streams]
        )
        role = iam.Role(
            self,
            "Role",
            role_name=names.BUILD_PROJECT,
            assumed_by=iam.ServicePrincipal("codebuild.amazonaws.com"),
            description="What foreign code that is being built may do: print",
            inline_policies={"rights": iam.PolicyDocument(statements=[statement])},
        )
        accept_wildcards(role, [streams], "The streams of the log group of builds; CodeBuild names them.")
        role.without_policy_updates()
        return role

    def _accept(self) -> None:
        accept(
            self.project,
            "AwsSolutions-CB4",
            "The project keeps nothing: input and output lie in the artifact bucket, which is encrypted.",
        )
        accept(
            self.project,
            "AwsSolutions-CB5",
            "AWS SAM's images have the tools and the system of each Lambda runtime; CodeBuild's have not.",
        )
