"""The functions that a pipeline with repositories at GitHub has besides those in `infra/tasks.py`."""

from __future__ import annotations

from typing import Final

from infra.rights import On, Right
from infra.tasks import GITHUB, PUBLISH, Task

READ_WEBHOOK_SECRET: Final = Right(("secretsmanager:GetSecretValue",), (On.WEBHOOK_SECRET,))

GITHUB_TASKS: Final = (
    Task(
        "ReceiveWebhook",
        rights=(READ_WEBHOOK_SECRET, PUBLISH),
        variables=("EVENT_BUS", "ORIGINS"),
        timeout=9,  # GitHub waits for ten seconds
        # Over half a processor: GitHub waits for this one's cold start.
        memory=1024,
    ),
    Task(
        "CompareBranches",
        rights=(
            Right(("dynamodb:GetItem", "dynamodb:Query"), (On.LEDGER,)),
            *GITHUB,
            PUBLISH,
            Right(("sqs:SendMessage",), (On.REFUSED_EVENTS,)),
        ),
        variables=("EVENT_BUS", "LEDGER_TABLE", "ORIGINS"),
        timeout=890,
        asynchronous=True,
    ),
    Task(
        "ReportStatus",
        rights=(
            Right(("dynamodb:Query",), (On.LEDGER,)),
            *GITHUB,
            Right(("sqs:SendMessage",), (On.REFUSED_EVENTS,)),
        ),
        variables=("LEDGER_TABLE", "ORIGINS"),
        timeout=60,
        asynchronous=True,
    ),
    Task(
        "RotateSecret",
        rights=(
            Right(
                (
                    "secretsmanager:DescribeSecret",
                    "secretsmanager:GetSecretValue",
                    "secretsmanager:PutSecretValue",
                    "secretsmanager:UpdateSecretVersionStage",
                ),
                (On.WEBHOOK_SECRET,),
            ),
            *GITHUB,
            Right(("sqs:SendMessage",), (On.REFUSED_EVENTS,)),
        ),
        variables=("ORIGINS", "WEBHOOK_URL"),
        timeout=890,
        asynchronous=True,
    ),
)
