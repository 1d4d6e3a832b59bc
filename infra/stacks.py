"""Which stacks there are, and in which account and region each is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Environment, Tags, Validations
from cdk_nag import AwsSolutionsChecks

from infra.pipeline_stack import PipelineStack
from infra.stage_stack import StageStack
from tidegate.domain import pipeline as names

if TYPE_CHECKING:
    from pathlib import Path

    from aws_cdk import App

    from tidegate.domain.pipeline import Pipeline


def draw(app: App, root: Path, pipeline: Pipeline) -> None:
    """The pipeline's stack and the stages' stacks; what names no account and region is drawn for any."""
    PipelineStack(app, root=root, pipeline=pipeline, env=_place(pipeline.account, pipeline.region))
    for stage in pipeline.stages:
        account = stage.account or pipeline.account
        region = stage.region or pipeline.region
        StageStack(app, root=root, pipeline=pipeline, stage=stage, env=_place(account, region))
    Tags.of(app).add("application", names.NAME)
    check(app)


def check(app: App) -> None:
    """Let synthesis fail on every finding of cdk-nag that nobody accepted with a reason."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))


def _place(account: str, region: str) -> Environment:
    return Environment(account=account or None, region=region or None)
