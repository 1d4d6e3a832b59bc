"""The pipeline's stack: only how its parts are put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Aws, CfnOutput, DefaultStackSynthesizer, Stack

from infra.alarms import Alarms
from infra.builds import Builds
from infra.events import AtGitHub, Bus, Destinations, Rules, Topic
from infra.functions import Functions
from infra.images import ImageRepository
from infra.machines import Machine
from infra.origins import Token, Webhook
from infra.signing import Signing
from infra.storage import Storage
from infra.uploads import Uploads
from tidegate.domain import pipeline as names

if TYPE_CHECKING:
    from pathlib import Path

    from aws_cdk import Environment
    from constructs import Construct

    from tidegate.domain.pipeline import Pipeline


class PipelineStack(Stack):
    """Everything that one account needs to release services."""

    def __init__(self, scope: Construct, *, root: Path, pipeline: Pipeline, env: Environment) -> None:
        super().__init__(
            scope,
            "Pipeline",
            stack_name=names.PIPELINE_STACK,
            env=env,
            synthesizer=DefaultStackSynthesizer(generate_bootstrap_version_rule=False),
            description="Tidegate: continuous delivery for AWS Lambda",
        )
        storage = Storage(
            self, "Storage", account=Aws.ACCOUNT_ID, region=Aws.REGION, lock=pipeline.object_lock
        )
        bus = Bus(self, "Events")
        for stage in pipeline.elsewhere:
            storage.admit(stage)
            bus.admit(stage, stage.region or pipeline.region)
        keys = Signing(self, "Signing", pipeline=pipeline).keys
        functions = Functions(
            self, "Functions", root=root, pipeline=pipeline, refused=storage.refused, keys=keys
        )
        release = self._machine("Release", names.RELEASE_MACHINE, root, functions, pipeline)
        rollback = self._machine("Rollback", names.ROLLBACK_MACHINE, root, functions, pipeline)
        topic = Topic(self, "Notifications", addresses=pipeline.notify).topic
        to = Destinations(
            functions.drawn["Intake"].version,
            rollback.machine,
            functions.drawn["PruneVersions"].version,
            storage.undelivered,
            storage.sources.bucket_name,
            functions.drawn["ResumeRelease"].version,
            self._at_github(functions, pipeline),
        )
        Rules(self, "Rules", bus=bus.bus, topic=topic, to=to)
        self._watch(Alarms(self, "Alarms", topic=topic), functions, storage, release, rollback)
        self._add_options(root, pipeline, functions)
        CfnOutput(self, "SourceBucket", value=storage.sources.bucket_name)
        CfnOutput(self, "ReleaseMachine", value=release.machine.state_machine_arn)
        CfnOutput(self, "TrustedKeys", value=",".join(keys.trusted))
        CfnOutput(self, "Branches", value=",".join(pipeline.branches))

    @staticmethod
    def _watch(
        alarms: Alarms, functions: Functions, storage: Storage, release: Machine, rollback: Machine
    ) -> None:
        alarms.on_intake(functions.drawn["Intake"].function)
        alarms.on_machines(release.machine, rollback.machine)
        alarms.on_queue("EventsUndelivered", storage.undelivered, "EventBridge could not deliver an event.")
        alarms.on_queue(
            "EventsRefused", storage.refused, "A function gave an event up: the message says which, and why."
        )

    def _add_options(self, root: Path, pipeline: Pipeline, functions: Functions) -> None:
        """What only some pipelines have, by their configuration."""
        if pipeline.github:
            Webhook(self, "Webhook", functions=functions, github=pipeline.github)
            if pipeline.github.app is None:
                Token(self, "Token")
        if pipeline.build_images:
            Builds(self, "Builds", root=root, pipeline=pipeline)
        if pipeline.images:
            ImageRepository(self, "Images", name=names.IMAGE_REPOSITORY)
        if pipeline.uploads:
            Uploads(self, "Uploads", pipeline=pipeline)

    @staticmethod
    def _at_github(functions: Functions, pipeline: Pipeline) -> AtGitHub | None:
        if pipeline.github is None:
            return None
        comparison, report = (functions.drawn[name].version for name in ("CompareBranches", "ReportStatus"))
        return AtGitHub(comparison, report, pipeline.github.compare_minutes)

    def _machine(
        self, construct_id: str, name: str, root: Path, functions: Functions, pipeline: Pipeline
    ) -> Machine:
        file = f"{name.removeprefix(names.NAME + '-')}.asl.json"
        return Machine(
            self,
            construct_id,
            name=name,
            definition=root / "statemachines" / file,
            functions=functions.drawn,
            log_days=pipeline.log_retention_days,
        )
