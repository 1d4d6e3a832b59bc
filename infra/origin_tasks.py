"""The functions that a pipeline with repositories at GitHub has besides those in `infra/tasks.py`."""

from __future__ import annotations

from typing import Final

from infra.rights import On, Right
from infra.tasks import PUBLISH, Task

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
)
