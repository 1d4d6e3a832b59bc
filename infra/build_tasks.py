"""The functions that build and test what a commit holds, beside those in `infra/tasks.py`."""

from __future__ import annotations

from typing import Final

from infra.images import PUSH
from infra.rights import On, Right
from infra.tasks import FIND, KEEP_DOCUMENTS, READ_BASES, READ_DOCUMENTS, RECORD, Task

BUILD_TASKS: Final = (
    Task(
        "BuildFunction",
        rights=(
            RECORD,
            READ_DOCUMENTS,
            Right(("s3:GetObject", "s3:PutObject"), (On.ARTIFACTS, On.WHEELS, On.ERRANDS)),
            Right(("s3:GetObject",), (On.LOCKS,)),
            READ_BASES,
            Right(PUSH, (On.IMAGES,)),
            FIND,
            Right(("codebuild:BatchGetBuilds",), (On.BUILD_PROJECT,)),
            Right(("logs:GetLogEvents",), (On.BUILD_LOGS,)),
        ),
        variables=("ARTIFACT_BUCKET", "IMAGES", "LEDGER_TABLE"),
        timeout=890,
        memory=3008,
        scratch=4096,
        toolchain=True,
    ),
    Task(
        "AwaitBuilds",
        rights=(
            RECORD,
            READ_DOCUMENTS,
            Right(("s3:GetObject",), (On.ARTIFACTS,)),
            # Signed into the build's URLs too: it reads its input and writes its output, and nothing else.
            Right(("s3:GetObject", "s3:PutObject"), (On.ERRANDS,)),
            FIND,
            Right(("codebuild:BatchGetBuilds", "codebuild:StartBuild"), (On.BUILD_PROJECT,)),
            Right(("states:SendTaskSuccess",), (On.RELEASE_MACHINE,)),
        ),
        variables=("ARTIFACT_BUCKET", "LEDGER_TABLE"),
    ),
    Task(
        "ResumeRelease",
        rights=(
            Right(("dynamodb:GetItem",), (On.LEDGER,)),
            Right(("codebuild:BatchGetBuilds",), (On.BUILD_PROJECT,)),
            Right(("states:SendTaskSuccess",), (On.RELEASE_MACHINE,)),
            Right(("sqs:SendMessage",), (On.REFUSED_EVENTS,)),
        ),
        variables=("LEDGER_TABLE",),
        timeout=60,
        asynchronous=True,
    ),
    Task(
        "TestFunction",
        rights=(
            RECORD,
            KEEP_DOCUMENTS,
            # Signed into the sandbox's URLs: it imports handlers from their artifacts.
            Right(("s3:GetObject",), (On.ARTIFACTS,)),
            FIND,
            Right(("lambda:InvokeFunction",), (On.SANDBOX,)),
        ),
        variables=("ARTIFACT_BUCKET", "LEDGER_TABLE", "SANDBOX_FUNCTION"),
        timeout=890,
    ),
    Task(
        "TestSandbox",
        rights=(),
        variables=(),
        # Under TestFunction's own timeout, so that it lives to say that the tests never ended.
        timeout=870,
        memory=2048,
        scratch=2048,
        toolchain=True,
        sandbox=True,
    ),
)
