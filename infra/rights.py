"""The resources that tasks have rights on, each with its ARN and, where it holds a wildcard, the reason.

`infra/tasks.py` lists which task may do what, in these names; a policy is made of a list by `policy`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

from infra.findings import accept_wildcards
from tidegate.domain import pipeline as names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from constructs import IConstruct


class On(Enum):
    """What a right is on."""

    LEDGER = auto()
    BUS = auto()
    ARTIFACT_BUCKET = auto()
    RELEASE_DOCUMENTS = auto()
    ARTIFACTS = auto()
    ATTESTATIONS = auto()
    PACKAGES = auto()
    LOCKS = auto()
    WHEELS = auto()
    SOURCES = auto()
    SOURCE_BUCKET = auto()
    DEPLOY_ROLES = auto()
    RELEASE_MACHINE = auto()
    RELEASE_EXECUTIONS = auto()
    EXECUTIONS = auto()
    SANDBOX = auto()
    ERRANDS = auto()
    BUILD_PROJECT = auto()
    BUILD_LOGS = auto()
    REFUSED_EVENTS = auto()
    WEBHOOK_SECRET = auto()
    TOKEN_SECRET = auto()
    APP_KEY = auto()
    REPOSITORIES = auto()
    SCANS = auto()
    BASE_IMAGES = auto()
    IMAGES = auto()
    SIGNING_KEY = auto()
    TRUSTED_KEYS = auto()
    TELEMETRY = auto()
    OWN_LOGS = auto()
    TRACES = auto()


@dataclass(frozen=True)
class Right:
    """These actions, on these resources, under conditions if there are any."""

    actions: tuple[str, ...]
    on: tuple[On, ...]
    conditions: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Resource:
    """The ARNs of a resource; a wildcard in them needs a reason."""

    arns: tuple[str, ...]
    reason: str = ""


class Keys(NamedTuple):
    """The ARNs of the keys of statements: the one that signs, and all that are trusted."""

    current: str
    trusted: tuple[str, ...]


# KMS takes a digest, and signs it by the one algorithm that statements have.
SIGN_DIGESTS: Final = {"StringEquals": {"kms:MessageType": "DIGEST", "kms:SigningAlgorithm": "ECDSA_SHA_256"}}


def arn(service: str, resource: str, region: str = Aws.REGION, account: str = Aws.ACCOUNT_ID) -> str:
    """An ARN in the stack's own partition, by default in its own region and account."""
    return f"arn:{Aws.PARTITION}:{service}:{region}:{account}:{resource}"


def object_arn(bucket: str, keys: str = "") -> str:
    """The ARN of a bucket, or of the objects of these keys in it."""
    return f"arn:{Aws.PARTITION}:s3:::{bucket}" + (f"/{keys}" if keys else "")


def role_arn(name: str, account: str = Aws.ACCOUNT_ID) -> str:
    """The ARN of a role."""
    return arn("iam", f"role/{name}", region="", account=account)


def machine_arn(name: str) -> str:
    """The ARN of a state machine of the pipeline."""
    return arn("states", f"stateMachine:{name}")


def secret_arn(name: str) -> str:
    """The ARN of a secret; Secrets Manager adds six characters to its name."""
    return arn("secretsmanager", f"secret:{name}-??????")


def resources(pipeline: names.Pipeline, keys: Keys, own_function: str) -> dict[On, Resource]:
    """Every resource of the table, for the function of that name."""
    signing = {On.SIGNING_KEY: Resource((keys.current,)), On.TRUSTED_KEYS: Resource(keys.trusted)}
    images = _images(pipeline)
    return {**_data(), **_control(pipeline), **_origins(pipeline), **images, **signing, **_own(own_function)}


def stage_resources(stage: names.Stage) -> dict[On, Resource]:
    """The resources of what collects a stage's telemetry."""
    return {
        On.TELEMETRY: Resource((arn("dynamodb", f"table/{stage.telemetry_table}"),)),
        **_own(stage.collector),
    }


_EVERY_OBJECT: Final = "Objects are named after services and releases, which are not known beforehand."
_EVERY_HASH: Final = "Objects are named by hashes of what services require, which are not known beforehand."


def _data() -> dict[On, Resource]:
    artifacts = names.artifact_bucket(Aws.ACCOUNT_ID, Aws.REGION)
    sources = names.source_bucket(Aws.ACCOUNT_ID, Aws.REGION)
    return {
        On.LEDGER: Resource((arn("dynamodb", f"table/{names.LEDGER_TABLE}"),)),
        On.ARTIFACT_BUCKET: Resource((object_arn(artifacts),)),
        On.RELEASE_DOCUMENTS: Resource((object_arn(artifacts, "releases/*"),), _EVERY_OBJECT),
        On.ARTIFACTS: Resource((object_arn(artifacts, "artifacts/*"),), _EVERY_OBJECT),
        On.ATTESTATIONS: Resource((object_arn(artifacts, "attestations/*"),), _EVERY_OBJECT),
        On.ERRANDS: Resource((object_arn(artifacts, "errands/*"),), _EVERY_OBJECT),
        On.PACKAGES: Resource((object_arn(artifacts, "packages/*"),), _EVERY_OBJECT),
        On.LOCKS: Resource((object_arn(artifacts, "locks/*"),), _EVERY_HASH),
        On.WHEELS: Resource(
            tuple(object_arn(artifacts, f"{name}/*") for name in ("wheels", "tarballs", "fragments")),
            _EVERY_HASH,
        ),
        On.SOURCE_BUCKET: Resource((object_arn(sources),)),
        On.SOURCES: Resource((object_arn(sources, "*"),), _EVERY_OBJECT),
    }


def _control(pipeline: names.Pipeline) -> dict[On, Resource]:
    roles = tuple(role_arn(stage.deploy_role, stage.account or Aws.ACCOUNT_ID) for stage in pipeline.stages)
    releases = arn("states", f"execution:{names.RELEASE_MACHINE}:*")
    rollbacks = arn("states", f"execution:{names.ROLLBACK_MACHINE}:*")
    sandbox = arn("lambda", f"function:{names.function_name('TestSandbox')}:*")
    each_execution = "Executions are named after commits and events, which are not known beforehand."
    return {
        On.BUS: Resource((arn("events", f"event-bus/{names.EVENT_BUS}"),)),
        On.DEPLOY_ROLES: Resource(roles),
        On.RELEASE_MACHINE: Resource((machine_arn(names.RELEASE_MACHINE),)),
        On.RELEASE_EXECUTIONS: Resource((releases,), each_execution),
        On.EXECUTIONS: Resource((releases, rollbacks), each_execution),
        On.SANDBOX: Resource((sandbox,), "A running release calls the version that it began with."),
        **_builds(pipeline),
        On.SCANS: Resource(("*",), "Amazon Inspector's ScanSbom knows no resources."),
        On.REFUSED_EVENTS: Resource((arn("sqs", names.REFUSED_QUEUE),)),
    }


def _builds(pipeline: names.Pipeline) -> dict[On, Resource]:
    """The project at CodeBuild; where there is none, nobody has a right to it."""
    project = (arn("codebuild", f"project/{names.BUILD_PROJECT}"),) if pipeline.build_images else ()
    logs = (arn("logs", f"log-group:{names.BUILD_LOGS}:*"),) if pipeline.build_images else ()
    return {
        On.BUILD_PROJECT: Resource(project),
        On.BUILD_LOGS: Resource(logs, "The streams of the log group of builds; CodeBuild names them."),
    }


def _origins(pipeline: names.Pipeline) -> dict[On, Resource]:
    """What commits are fetched with; a resource that is not configured has no ARN, and gives no right."""
    github = pipeline.github
    app = github.app if github else None
    stored = (secret_arn(names.TOKEN_SECRET),) if github and app is None else ()
    repositories = tuple(arn("codecommit", one.name) for one in pipeline.codecommit)
    return {
        On.WEBHOOK_SECRET: Resource((secret_arn(names.WEBHOOK_SECRET),)),
        On.TOKEN_SECRET: Resource(stored),
        On.APP_KEY: Resource((app.key,) if app else ()),
        On.REPOSITORIES: Resource(repositories),
    }


def _images(pipeline: names.Pipeline) -> dict[On, Resource]:
    """The repositories of images; without any to build on there is none of them, and no right."""
    bases = dict.fromkeys(arn("ecr", f"repository/{image.repository}") for image in pipeline.images)
    own = (arn("ecr", f"repository/{names.IMAGE_REPOSITORY}"),) if bases else ()
    return {On.BASE_IMAGES: Resource(tuple(bases)), On.IMAGES: Resource(own)}


def _own(function: str) -> dict[On, Resource]:
    return {
        On.OWN_LOGS: Resource(
            (arn("logs", f"log-group:/aws/lambda/{function}:*"),),
            "The streams of the function's own log group; Lambda names them.",
        ),
        On.TRACES: Resource(("*",), "X-Ray's PutTraceSegments and PutTelemetryRecords know no resources."),
    }


def statements(rights: Sequence[Right], table: dict[On, Resource]) -> list[iam.PolicyStatement]:
    """The rights as policy statements, one for each that is on anything."""
    found = ((right, [name for on in right.on for name in table[on].arns]) for right in rights)
    return [
        iam.PolicyStatement(actions=list(right.actions), resources=resources, conditions=right.conditions)
        for right, resources in found
        if resources
    ]


def accept_reasons(construct: IConstruct, rights: Sequence[Right], table: dict[On, Resource]) -> None:
    """Accept the wildcards of these rights on their role, by the reasons that stand in the table."""
    for on in {on: None for right in rights for on in right.on}:
        if table[on].reason:
            accept_wildcards(construct, table[on].arns, table[on].reason)
