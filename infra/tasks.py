"""The functions of the pipeline: for each its rights, its variables and its size. The whole surface is here.

`build_tasks.py` and `origin_tasks.py` are parts of the same table. Every function may also write its own
logs and traces (`OWN`), but for the sandbox: code under test runs in it, so its role has no policy at all. A
role is named after its function, since stages trust it by name.
Times are in seconds, sizes in MB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from infra.rights import SIGN_DIGESTS, On, Right
from tidegate.domain import pipeline as names

OWN: Final = (
    Right(("logs:CreateLogStream", "logs:PutLogEvents"), (On.OWN_LOGS,)),
    Right(("xray:PutTelemetryRecords", "xray:PutTraceSegments"), (On.TRACES,)),
)
# Without ListBucket, S3 answers 403 instead of 404 for what is not there.
FIND: Final = Right(("s3:ListBucket",), (On.ARTIFACT_BUCKET,))
RECORD: Final = Right(("dynamodb:GetItem", "dynamodb:PutItem"), (On.LEDGER,))
HISTORY: Final = Right(("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"), (On.LEDGER,))
PUBLISH: Final = Right(("events:PutEvents",), (On.BUS,))
ENTER_STAGES: Final = Right(("sts:AssumeRole",), (On.DEPLOY_ROLES,))
READ_DOCUMENTS: Final = Right(("s3:GetObject",), (On.RELEASE_DOCUMENTS,))
KEEP_DOCUMENTS: Final = Right(("s3:GetObject", "s3:PutObject"), (On.RELEASE_DOCUMENTS,))
# What one is let in by at GitHub: a stored token, or an App's signature.
GITHUB: Final = (
    Right(("secretsmanager:GetSecretValue",), (On.TOKEN_SECRET,)),
    Right(("kms:Sign",), (On.APP_KEY,)),
)
READ_BASES: Final = Right(("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"), (On.BASE_IMAGES,))
REPOSITORIES: Final = (*GITHUB, Right(("codecommit:GitPull",), (On.REPOSITORIES,)))


@dataclass(frozen=True)
class Task:
    """One function: `name` is its state's name, `variables` those of TIDEGATE_* that it is given.

    A function's timeout is shorter than its state's, so that no handler outlives the state that failed.
    """

    name: str
    rights: tuple[Right, ...]
    variables: tuple[str, ...]
    timeout: int = 110
    memory: int = 512
    scratch: int = 512
    toolchain: bool = False
    asynchronous: bool = False
    sandbox: bool = False

    @property
    def function(self) -> str:
        """The name of the function and of its role."""
        return names.function_name(self.name)

    @property
    def all_rights(self) -> tuple[Right, ...]:
        """The rights in the table and those that every function has."""
        return () if self.sandbox else (*self.rights, *OWN)


TASKS: Final = (
    Task(
        "Intake",
        rights=(
            Right(("states:StartExecution",), (On.RELEASE_MACHINE,)),
            Right(("sqs:SendMessage",), (On.REFUSED_EVENTS,)),
        ),
        variables=("BRANCHES", "ORIGINS", "RELEASE_MACHINE", "SOURCE_BUCKET"),
        timeout=60,
        asynchronous=True,
    ),
    Task(
        "OpenRelease",
        rights=(RECORD, PUBLISH, Right(("states:DescribeExecution",), (On.EXECUTIONS,))),
        variables=("EVENT_BUS", "LEDGER_TABLE"),
    ),
    Task(
        "CheckOutSource",
        rights=(
            RECORD,
            Right(("s3:GetObject", "s3:GetObjectVersion"), (On.SOURCES,)),
            Right(("s3:ListBucket",), (On.SOURCE_BUCKET,)),
            Right(("s3:PutObject",), (On.RELEASE_DOCUMENTS,)),
            Right(("s3:GetObject", "s3:PutObject"), (On.PACKAGES, On.LOCKS, On.WHEELS)),
            Right(("s3:GetObject",), (On.ARTIFACTS,)),
            *REPOSITORIES,
            READ_BASES,
            FIND,
        ),
        variables=(
            "ARTIFACT_BUCKET",
            "BUILD_ARCHITECTURE",
            "BUILD_IMAGES",
            "BUILD_RUNTIME",
            "IMAGES",
            "LEDGER_TABLE",
            "ORIGINS",
            "OTHER_STAGES",
            "SOURCE_BUCKET",
            "STAGES",
        ),
        timeout=590,
        memory=2048,
        scratch=4096,
        toolchain=True,
    ),
    Task(
        "AuditRelease",
        rights=(
            RECORD,
            KEEP_DOCUMENTS,
            Right(("s3:GetObject",), (On.ARTIFACTS, On.PACKAGES)),
            FIND,
            Right(("inspector-scan:ScanSbom",), (On.SCANS,)),
        ),
        variables=("ARTIFACT_BUCKET", "LEDGER_TABLE", "SCANNER"),
        timeout=590,
        memory=1769,
        scratch=1024,
    ),
    Task(
        "AttestRelease",
        rights=(
            RECORD,
            READ_DOCUMENTS,
            Right(("s3:GetObject",), (On.ARTIFACTS, On.PACKAGES, On.LOCKS)),
            Right(("s3:GetObject", "s3:PutObject"), (On.ATTESTATIONS,)),
            FIND,
            Right(("kms:Sign",), (On.SIGNING_KEY,), SIGN_DIGESTS),
            Right(("kms:GetPublicKey",), (On.TRUSTED_KEYS,)),
        ),
        variables=(
            "ARTIFACT_BUCKET",
            "BRANCHES",
            "LEDGER_TABLE",
            "ORIGINS",
            "RELEASE_MACHINE",
            "SIGNING_KEY",
        ),
        timeout=290,
        memory=1024,
    ),
    Task(
        "PlanRelease",
        rights=(RECORD, KEEP_DOCUMENTS, FIND, ENTER_STAGES),
        variables=("ARTIFACT_BUCKET", "LEDGER_TABLE", "STAGES"),
        timeout=290,
        memory=1024,
    ),
    Task(
        "EnterStage",
        rights=(RECORD, READ_DOCUMENTS, FIND, PUBLISH),
        variables=("ARTIFACT_BUCKET", "EVENT_BUS", "LEDGER_TABLE"),
    ),
    Task(
        "AwaitApproval",
        rights=(RECORD, PUBLISH),
        variables=("EVENT_BUS", "LEDGER_TABLE"),
    ),
    Task(
        "ProvisionStage",
        rights=(
            RECORD,
            KEEP_DOCUMENTS,
            Right(("s3:GetObject",), (On.ARTIFACTS, On.ATTESTATIONS, On.PACKAGES)),
            FIND,
            ENTER_STAGES,
            # The stages' roles push what is read here.
            Right(("ecr:GetDownloadUrlForLayer",), (On.IMAGES,)),
            Right(("kms:GetPublicKey", "kms:Verify"), (On.TRUSTED_KEYS,)),
        ),
        variables=(
            "ARTIFACT_BUCKET",
            "BRANCHES",
            "LEDGER_TABLE",
            "ORIGINS",
            "PACE",
            "RELEASE_MACHINE",
            "SIGNING_KEY",
            "STAGES",
            "TRUSTED_KEYS",
        ),
        timeout=290,
        memory=1024,
    ),
    Task(
        "PruneVersions",
        rights=(
            HISTORY,
            KEEP_DOCUMENTS,
            Right(("s3:DeleteObject",), (On.RELEASE_DOCUMENTS,)),
            FIND,
            ENTER_STAGES,
            Right(("sqs:SendMessage",), (On.REFUSED_EVENTS,)),
        ),
        variables=("ARTIFACT_BUCKET", "LEDGER_TABLE", "STAGES"),
        timeout=890,
        asynchronous=True,
    ),
    Task(
        "PublishVersions",
        rights=(RECORD, KEEP_DOCUMENTS, FIND, ENTER_STAGES),
        variables=("ARTIFACT_BUCKET", "LEDGER_TABLE", "PACE", "STAGES"),
        timeout=890,
    ),
    Task(
        "SmokeTest",
        rights=(RECORD, READ_DOCUMENTS, FIND, ENTER_STAGES),
        variables=("ARTIFACT_BUCKET", "LEDGER_TABLE", "STAGES"),
        timeout=890,
    ),
    Task(
        "ShiftTraffic",
        rights=(RECORD, KEEP_DOCUMENTS, FIND, PUBLISH, ENTER_STAGES),
        variables=("ARTIFACT_BUCKET", "EVENT_BUS", "LEDGER_TABLE", "PACE", "STAGES"),
        timeout=290,
    ),
    Task(
        "JudgeCanary",
        rights=(RECORD, KEEP_DOCUMENTS, FIND, PUBLISH, ENTER_STAGES),
        variables=("ARTIFACT_BUCKET", "EVENT_BUS", "LEDGER_TABLE", "PACE", "STAGES"),
        timeout=290,
        memory=1024,
    ),
    Task(
        "LeaveStage",
        rights=(RECORD, KEEP_DOCUMENTS, FIND, ENTER_STAGES),
        variables=("ARTIFACT_BUCKET", "LEDGER_TABLE", "STAGES"),
        memory=1024,
    ),
    Task(
        "CompleteRelease",
        rights=(RECORD, PUBLISH),
        variables=("EVENT_BUS", "LEDGER_TABLE"),
    ),
    Task(
        "RestoreTraffic",
        rights=(RECORD, READ_DOCUMENTS, FIND, ENTER_STAGES),
        variables=("ARTIFACT_BUCKET", "LEDGER_TABLE", "STAGES"),
        timeout=290,
        memory=1024,
    ),
    Task(
        "UndoRelease",
        rights=(
            RECORD,
            KEEP_DOCUMENTS,
            FIND,
            ENTER_STAGES,
            Right(("states:DescribeExecution", "states:StopExecution"), (On.RELEASE_EXECUTIONS,)),
            Right(("codebuild:BatchGetBuilds", "codebuild:StopBuild"), (On.BUILD_PROJECT,)),
        ),
        variables=("ARTIFACT_BUCKET", "LEDGER_TABLE", "STAGES"),
        timeout=290,
        memory=1024,
    ),
    Task(
        "VerifyRecovery",
        rights=(HISTORY, KEEP_DOCUMENTS, FIND, PUBLISH, ENTER_STAGES),
        variables=("ARTIFACT_BUCKET", "EVENT_BUS", "LEDGER_TABLE", "PACE", "STAGES"),
        timeout=290,
    ),
    Task(
        "DiagnoseRollback",
        rights=(
            HISTORY,
            KEEP_DOCUMENTS,
            FIND,
            ENTER_STAGES,
            Right(("states:DescribeExecution",), (On.EXECUTIONS,)),
        ),
        variables=("ARTIFACT_BUCKET", "LEDGER_TABLE", "PACE", "STAGES"),
        timeout=290,
        # A whole processor from here on: users wait for this one's cold start.
        memory=1769,
    ),
)

# Not a task of the pipeline: each stage has one of its own, which the logs of its functions call.
COLLECTOR: Final = Task(
    "CollectTelemetry",
    rights=(Right(("dynamodb:Query", "dynamodb:UpdateItem"), (On.TELEMETRY,)),),
    variables=(),
    timeout=30,
)

# The tasks that work in stages: the roles that a stage's deploy role trusts.
DEPLOYERS: Final = tuple(task.function for task in TASKS if ENTER_STAGES in task.rights)
