"""The pipeline's own configuration and the names of what it consists of.

Infrastructure and the operator's commands share this module, so that neither has to guess a name that the
other made. It holds values only: reading `cdk.json` and drawing resources is the business of others.
Names are fixed: a pipeline is one per account, and roles in other accounts trust it by name.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from tidegate.domain import build_names, telemetry_names, uploads
from tidegate.domain.identity import Frozen, StageName
from tidegate.domain.images.references import BaseImage
from tidegate.domain.origins import (
    GitHub,
    Origins,
    Repository,
    find_problems,
    find_shared,
    is_branch,
    resolve,
)
from tidegate.domain.uploads import Upload

NAME: Final = "tidegate"
PIPELINE_STACK: Final = NAME
EVENT_BUS: Final = NAME
EVENT_SOURCE: Final = NAME
TOPIC: Final = f"{NAME}-releases"
LEDGER_TABLE: Final = f"{NAME}-ledger"
RELEASE_MACHINE: Final = f"{NAME}-release"
ROLLBACK_MACHINE: Final = f"{NAME}-rollback"
UNDELIVERED_QUEUE: Final = f"{NAME}-undelivered-events"
BUILD_PROJECT: Final = build_names.PROJECT
BUILD_LOGS: Final = build_names.LOG_GROUP
BUILD_MINUTES: Final = (build_names.LONGEST, build_names.LONGEST_QUEUED)
SIGNING_ALIAS: Final = f"alias/{NAME}-provenance"
REFUSED_QUEUE: Final = f"{NAME}-refused-events"
ALARM_PREFIX: Final = f"{NAME}/"
WEBHOOK_SECRET: Final = f"{NAME}-github-webhook"
TOKEN_SECRET: Final = f"{NAME}-github-token"
IMAGE_REPOSITORY: Final = f"{NAME}-images"
ORIGINS_FILE: Final = f"{NAME}-origins.json"
# The events of a release that people are told about; each carries a sentence in `detail.message`.
NOTIFIED_EVENTS: Final = (
    "Release Started",
    "Stage Entered",
    "Approval Requested",
    "Traffic Shifted",
    "Verdict Reached",
    "Release Rolled Back",
    "Release Rejected",
    "Release Restored",
    "Release Superseded",
    "Release Completed",
    "Operator Needed",
)
# Those after which a release stands otherwise than before: the commit's status is told anew.
REPORTED_EVENTS: Final = (
    "Release Started",
    "Release Completed",
    "Release Rejected",
    "Release Rolled Back",
    "Release Restored",
    "Release Superseded",
    "Operator Needed",
)
# What a stage's CloudFormation may make: the services that templates of Lambda functions are made of.
SERVICES: Final = (
    "apigateway",
    "appconfig",
    "application-autoscaling",
    "appsync",
    "cloudwatch",
    "codedeploy",
    "cognito-idp",
    "dynamodb",
    "events",
    "firehose",
    "kinesis",
    "kms",
    "lambda",
    "logs",
    "pipes",
    "s3",
    "scheduler",
    "schemas",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "states",
    "xray",
)
# The prefixes of the artifact bucket that are copied into the stages' own buckets.
COPIED: Final = ("artifacts", "packages")
BUCKET_NAME_LIMIT: Final = 63
LONGEST_REGION: Final = len("ap-northeast-1")

AccountId = Annotated[str, StringConstraints(pattern=r"^([0-9]{12})?$")]
Region = Annotated[str, StringConstraints(pattern=r"^([a-z]{2}(-[a-z]+)+-[0-9])?$")]
Runtime = Annotated[str, StringConstraints(pattern=r"^python3\.[0-9]{2}$")]
ServicePrefix = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]+$")]
KeyName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
Address = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
Architecture = Literal["arm64", "x86_64"]
# A version of the SAM CLI, by which its images are tagged.
ImagesVersion = Annotated[str, StringConstraints(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+(-[0-9]{14})?$")]
# Who is asked for known vulnerabilities; `records`: only those that a service names in its repository.
Scanner = Literal["inspector", "osv", "records"]
# The retention times that CloudWatch Logs knows, in days (PutRetentionPolicy), up to ten years.
Retention = Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 3653]


class Stage(Frozen):
    """An account and a region that releases go to, in the order of the configuration.

    An empty account or region is the pipeline's own. With `bounded_roles`, CloudFormation may make and change
    only roles that carry the stage's boundary policy: templates must then name it. `collectors` is the
    concurrency that is reserved for collecting telemetry; null reserves none, for accounts that have little.
    """

    name: StageName
    account: AccountId = ""
    region: Region = ""
    production: bool = False
    bounded_roles: bool = False
    collectors: Annotated[int, Field(ge=1, le=100)] | None = 10

    @property
    def stack(self) -> str:
        """The name of the stage stack."""
        return f"{NAME}-stage-{self.name}"

    @property
    def deploy_role(self) -> str:
        """The name of the role that tasks assume to work in the stage."""
        return f"{NAME}-deploy-{self.name}"

    @property
    def cloudformation_role(self) -> str:
        """The name of the role that CloudFormation works with in the stage."""
        return f"{NAME}-cloudformation-{self.name}"

    @property
    def boundary(self) -> str:
        """The name of the policy that bounds the CloudFormation role."""
        return f"{NAME}-boundary-{self.name}"

    @property
    def forward_rule(self) -> str:
        """The name of the rule (and of its role) that forwards the stage's alarms to the pipeline."""
        return f"{NAME}-forward-{self.name}"

    @property
    def collector(self) -> str:
        """The name of the function that collects the stage's telemetry, and of its role."""
        return telemetry_names.collector(self.name)

    @property
    def telemetry_table(self) -> str:
        """The name of the table that holds the stage's telemetry."""
        return telemetry_names.table(self.name)

    @property
    def image_repository(self) -> str:
        """The name of the stage's own repository of images."""
        return f"{IMAGE_REPOSITORY}-{self.name}"

    def bucket(self, account: str, region: str) -> str:
        """The name of the stage's own artifact bucket."""
        return f"{NAME}-artifacts-{self.name}-{account}-{region}"


class Layers(Frozen):
    """The folders of the functions' layers, as `python -m infra.layers` makes them; relative to the app."""

    dependencies: str = "build/layers/dependencies"
    toolchain: str = "build/layers/toolchain"


class ObjectLock(Frozen):
    """For how long no version of an object in the artifact buckets can be deleted, and by whom after all.

    GOVERNANCE lets those delete who may bypass it, COMPLIANCE nobody (Amazon S3 User Guide, "Object Lock").
    """

    mode: Literal["GOVERNANCE", "COMPLIANCE"] = "GOVERNANCE"
    days: int = Field(ge=1, le=36_500)


class BuildOverride(Frozen):
    """Build every function for this runtime and architecture, whatever its template says (local cloud)."""

    runtime: Runtime
    architecture: Architecture


class Pipeline(Frozen):
    """The configuration of one pipeline: `tidegate` in the context of `cdk.json`.

    `other_stages` are those of other pipelines for the same services: a tidegate.yaml may have settings for
    them, which do nothing here; settings for any other stage are refused. `signing_keys` are the keys of
    statements that are trusted, each a name of your own; the last one signs. `images` are those that
    functions may be built on; without any, functions that are packaged as images are refused.
    `build_images` is the version of AWS SAM's images that CodeBuild builds in what Tidegate cannot build
    itself; with null it builds nothing.
    """

    account: AccountId = ""
    region: Region = ""
    stages: tuple[Stage, ...] = Field(min_length=1)
    other_stages: tuple[StageName, ...] = ()
    branches: tuple[str, ...] = Field(default=("main",), min_length=1)
    github: GitHub | None = None
    codecommit: tuple[Repository, ...] = ()
    uploads: tuple[Upload, ...] = ()
    pace: float = Field(default=1.0, gt=0, le=1)
    notify: tuple[Address, ...] = ()
    log_retention_days: Retention = 90
    runtime: Runtime = "python3.13"
    architecture: Architecture = "arm64"
    layers: Layers = Layers()
    build_override: BuildOverride | None = None
    signing_keys: tuple[KeyName, ...] = Field(default=("first",), min_length=1)
    object_lock: ObjectLock | None = None
    images: tuple[BaseImage, ...] = ()
    services: tuple[ServicePrefix, ...] = SERVICES
    scanner: Scanner = "inspector"
    build_images: ImagesVersion | None = build_names.IMAGES

    @property
    def build_environment(self) -> dict[str, str]:
        """Where a build runs that names nothing else: CodeBuild's type of machine, and the image."""
        image = build_names.name_image("provided.al2023", self.architecture, self.build_images or "")
        return {"type": build_names.MACHINES[self.architecture], "image": image}

    @property
    def elsewhere(self) -> tuple[Stage, ...]:
        """The stages in other accounts than the pipeline's."""
        return tuple(stage for stage in self.stages if stage.account not in {"", self.account})

    @property
    def origins(self) -> Origins | None:
        """The repositories, with their defaults filled in; None where there are none."""
        at_github = self.github.repositories if self.github else ()
        resolved = [
            *(resolve("github", one, self.branches) for one in at_github),
            *(resolve("codecommit", one, self.branches) for one in self.codecommit),
        ]
        found = tuple(one for one in resolved if one is not None)
        if not found:
            return None
        place = {"url": self.github.url, "app": self.github.app} if self.github else {}
        return Origins.model_validate({**place, "repositories": found})

    @model_validator(mode="after")
    def _check(self) -> Self:
        finders = (
            self._stage_problems,
            self._place_problems,
            self._branch_problems,
            self._origin_problems,
            self._key_problems,
            self._image_problems,
        )
        for problem in (found for find in finders for found in find()):
            raise ValueError(problem)
        return self

    def _stage_problems(self) -> list[str]:
        twice = [name for name, count in Counter(stage.name for stage in self.stages).items() if count > 1]
        problems = [f"stages: {name} is named twice" for name in twice]
        for stage in self.stages:
            length = len(stage.bucket("0" * 12, stage.region or "r" * LONGEST_REGION))
            if length > BUCKET_NAME_LIMIT:
                excess = length - BUCKET_NAME_LIMIT
                problems.append(
                    f"stages: the name {stage.name} is {excess} too long for the stage's bucket name"
                )
        return problems

    def _place_problems(self) -> list[str]:
        """A stage elsewhere is reached from, and reports to, a pipeline whose place must be known."""
        return [
            f"stages: {stage.name} names its {key}, so the pipeline's own {key} must be named too"
            for stage in self.stages
            for key, there, here in (
                ("account", stage.account, self.account),
                ("region", stage.region, self.region),
            )
            if there and not here
        ]

    def _key_problems(self) -> list[str]:
        counted = Counter(self.signing_keys).items()
        return [f"signing_keys: {name} is named twice" for name, count in counted if count > 1]

    def _image_problems(self) -> list[str]:
        counted = Counter(image.name or image.repository for image in self.images).items()
        problems = [f"images: {name} is named twice" for name, count in counted if count > 1]
        return problems + [
            f"images: {image.repository} is Tidegate's own repository"
            for image in self.images
            if image.repository.startswith(IMAGE_REPOSITORY)
        ]

    def _branch_problems(self) -> list[str]:
        return [f"branches: {name!r} is no branch's name" for name in self.branches if not is_branch(name)]

    def _origin_problems(self) -> list[str]:
        problems = find_problems("github", self.github.repositories if self.github else ())
        problems += find_problems("codecommit", self.codecommit)
        found = self.origins
        problems += uploads.find_problems(self.uploads)
        problems += [
            f"uploads: {one.service}: {branch!r} is no branch's name"
            for one in self.uploads
            for branch in one.branches
            if not is_branch(branch)
        ]
        return problems + find_shared(found.repositories if found else ())


def function_name(state: str) -> str:
    """The name of a state's function: `ShiftTraffic` is `tidegate-shift-traffic`."""
    return f"{NAME}-{_split(state, '-')}"


def folder_name(state: str) -> str:
    """The folder of a state's function under `functions/`: `ShiftTraffic` is `shift_traffic`."""
    return _split(state, "_")


def handler(state: str) -> str:
    """The handler string of a state's function."""
    return f"functions.{folder_name(state)}.handler.handler"


def artifact_bucket(account: str, region: str) -> str:
    """The pipeline's bucket of artifacts and of the releases' documents."""
    return f"{NAME}-artifacts-{account}-{region}"


def upload_role(service: str) -> str:
    """The role that builds elsewhere upload a service's bundles with."""
    return f"{NAME}-upload-{service}"


def source_bucket(account: str, region: str) -> str:
    """The bucket that `tidegate push` writes bundles to."""
    return f"{NAME}-source-{account}-{region}"


def _split(state: str, separator: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", separator, state).lower()
