"""Draws the functions of the table in `infra/tasks.py`: code, layers, role, log group, retained versions.

One asset of code and one layer of dependencies serve them all; a function differs by its handler string.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_cdk import AssetHashType, Aws, Duration, RemovalPolicy, Size
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra import code, layers, origins, rights
from infra.build_tasks import BUILD_TASKS
from infra.findings import WRITTEN_ORDER, accept, accept_lint
from infra.journal import log_group
from infra.origin_tasks import GITHUB_TASKS
from infra.tasks import TASKS, Task
from tidegate.domain import pipeline as names

if TYPE_CHECKING:
    from pathlib import Path

    from aws_cdk import aws_sqs as sqs

    from tidegate.domain.pipeline import Pipeline


@dataclass(frozen=True)
class Drawn:
    """A function with the version that is called."""

    task: Task
    function: lambda_.Function
    version: lambda_.Version


class Functions(Construct):
    """All functions of the pipeline; `drawn` holds them by the name of their state."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        root: Path,
        pipeline: Pipeline,
        refused: sqs.IQueue,
        keys: rights.Keys,
    ) -> None:
        super().__init__(scope, construct_id)
        self._keys = keys
        self._pipeline = pipeline
        self._refused = refused
        self._code = code.asset(self, root, pipeline)
        self._dependencies = layer(self, "dependencies", root / pipeline.layers.dependencies, pipeline)
        self._toolchain = layer(self, "toolchain", root / pipeline.layers.toolchain, pipeline)
        self._origins = origins.layer(self, pipeline)
        self._runtime = lambda_.Runtime(pipeline.runtime, lambda_.RuntimeFamily.PYTHON)
        self.drawn: dict[str, Drawn] = {}
        # The sandbox first: the variables of its caller name its version.
        tasks = (*TASKS, *BUILD_TASKS, *(GITHUB_TASKS if pipeline.github else ()))
        for task in sorted(tasks, key=lambda task: not task.sandbox):
            self.drawn[task.name] = self._draw(root, task)

    def _draw(self, root: Path, task: Task) -> Drawn:
        source = root / "functions" / names.folder_name(task.name) / "handler.py"
        if not source.is_file():
            raise FileNotFoundError(f"{task.name} has no handler: {source} does not exist")
        scope = Construct(self, task.name)
        function = lambda_.Function(
            scope,
            "Function",
            function_name=task.function,
            runtime=self._runtime,
            architecture=architecture(self._pipeline),
            handler=names.handler(task.name),
            code=self._code,
            layers=self._layers(task),
            memory_size=task.memory,
            timeout=Duration.seconds(task.timeout),
            ephemeral_storage_size=Size.mebibytes(task.scratch),
            role=self._role(scope, task),
            environment=self._environment(task),
            reserved_concurrent_executions=self._reserved(task),
            current_version_options=lambda_.VersionOptions(removal_policy=RemovalPolicy.RETAIN),
            **self._watch(scope, task),
        )
        accept_runtime(function, self._pipeline)
        accept_lint(function, WRITTEN_ORDER)
        return Drawn(task, function, function.current_version)

    def _role(self, scope: Construct, task: Task) -> iam.IRole:
        return role(scope, task, task.function, rights.resources(self._pipeline, self._keys, task.function))

    def _layers(self, task: Task) -> list[lambda_.ILayerVersion]:
        found: list[lambda_.ILayerVersion] = [self._dependencies]
        found += [self._toolchain] if task.toolchain else []
        return found + ([self._origins] if self._origins and "ORIGINS" in task.variables else [])

    def _reserved(self, task: Task) -> int | None:
        """Anybody may call the webhook: what a flood may take of the account's concurrency is bounded."""
        github = self._pipeline.github
        return github.receivers if github and task.name == "ReceiveWebhook" else None

    def _watch(self, scope: Construct, task: Task) -> dict[str, Any]:
        """Logs, traces, dead-letter queue. The sandbox has no right to write: its log group stays empty."""
        watched: dict[str, Any] = {
            "log_group": log_group(scope, f"/aws/lambda/{task.function}", self._pipeline.log_retention_days),
            "logging_format": lambda_.LoggingFormat.JSON,
        }
        if task.sandbox:
            return {**watched, "tenancy_config": lambda_.TenancyConfig.PER_TENANT}
        watched["tracing"] = lambda_.Tracing.ACTIVE
        return {**watched, "dead_letter_queue": self._refused} if task.asynchronous else watched

    def _environment(self, task: Task) -> dict[str, str]:
        values = self._values()
        given = {f"TIDEGATE_{name}": values[name] for name in task.variables if name in values}
        return given if task.sandbox else {**given, "POWERTOOLS_SERVICE_NAME": names.NAME}

    def _values(self) -> dict[str, str]:
        pipeline = self._pipeline
        values = {
            "LEDGER_TABLE": names.LEDGER_TABLE,
            "ARTIFACT_BUCKET": names.artifact_bucket(Aws.ACCOUNT_ID, Aws.REGION),
            "SOURCE_BUCKET": names.source_bucket(Aws.ACCOUNT_ID, Aws.REGION),
            "EVENT_BUS": names.EVENT_BUS,
            "STAGES": self._stages(),
            "BRANCHES": ",".join(pipeline.branches),
            "RELEASE_MACHINE": rights.machine_arn(names.RELEASE_MACHINE),
            "ROLLBACK_MACHINE": rights.machine_arn(names.ROLLBACK_MACHINE),
            "PACE": str(pipeline.pace),
            "SCANNER": pipeline.scanner,
            "SIGNING_KEY": names.SIGNING_ALIAS,
            "TRUSTED_KEYS": ",".join(self._keys.trusted),
        }
        if pipeline.other_stages:
            values["OTHER_STAGES"] = ",".join(pipeline.other_stages)
        if pipeline.build_images:
            values["BUILD_IMAGES"] = pipeline.build_images
        if pipeline.build_override:
            values["BUILD_RUNTIME"] = pipeline.build_override.runtime
            values["BUILD_ARCHITECTURE"] = pipeline.build_override.architecture
        if pipeline.images:
            values["IMAGES"] = self._images()
        if self._origins:
            values["ORIGINS"] = names.ORIGINS_FILE
        if "TestSandbox" in self.drawn:
            values["SANDBOX_FUNCTION"] = self.drawn["TestSandbox"].version.function_arn
        return values

    def _images(self) -> str:
        bases = [image.model_dump(exclude_defaults=True) for image in self._pipeline.images]
        place = {"account": Aws.ACCOUNT_ID, "region": Aws.REGION}
        return json.dumps({**place, "bases": bases}, separators=(",", ":"))

    def _stages(self) -> str:
        stages = [
            {
                "name": stage.name,
                "account": stage.account or Aws.ACCOUNT_ID,
                "region": stage.region or Aws.REGION,
                "production": stage.production,
            }
            for stage in self._pipeline.stages
        ]
        return json.dumps(stages, separators=(",", ":"))


def layer(scope: Construct, name: str, folder: Path, pipeline: Pipeline) -> lambda_.LayerVersion:
    """A layer, by the digest of what it is made from, so that byte code never makes a new version of it."""
    python_version = pipeline.runtime.removeprefix("python")
    digest = layers.require(folder, name, python_version, pipeline.architecture)
    asset = lambda_.Code.from_asset(str(folder), asset_hash=digest, asset_hash_type=AssetHashType.CUSTOM)
    return lambda_.LayerVersion(
        scope,
        name.capitalize(),
        code=asset,
        layer_version_name=f"{names.NAME}-{name}",
        removal_policy=RemovalPolicy.RETAIN,
    )


def architecture(pipeline: Pipeline) -> lambda_.Architecture:
    """The architecture of the functions."""
    known = {"arm64": lambda_.Architecture.ARM_64, "x86_64": lambda_.Architecture.X86_64}
    return known[pipeline.architecture]


def role(scope: Construct, task: Task, name: str, table: dict[rights.On, rights.Resource]) -> iam.IRole:
    """A function's role, with what stands in its task and no more: constructs add nothing by themselves."""
    document = iam.PolicyDocument(statements=rights.statements(task.all_rights, table))
    own = iam.Role(
        scope,
        "Role",
        role_name=name,
        assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        description=f"What {task.name} may do",
        inline_policies={} if task.sandbox else {"rights": document},
    )
    rights.accept_reasons(own, task.all_rights, table)
    return own.without_policy_updates()


def accept_runtime(function: lambda_.Function, pipeline: Pipeline) -> None:
    """Accept that a function's runtime is not the newest."""
    accept(
        function,
        "AwsSolutions-L1",
        f"{pipeline.runtime} is configured together with its layer of dependencies, and supported.",
    )
