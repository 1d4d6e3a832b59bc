"""CodeBuild: builds are started, looked at and stopped; nothing here waits for one.

Sources: AWS CodeBuild API Reference, "StartBuild", "BatchGetBuilds", "StopBuild".
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from tidegate.domain.build_names import LONGEST, LONGEST_QUEUED
from tidegate.domain.errands import TAIL_LINES, Build
from tidegate.domain.errors import BuildsPending

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mypy_boto3_logs import CloudWatchLogsClient

    from tidegate.domain.errands import Order

MOST_AT_ONCE: Final = 100
UNPAID: Final = frozenset({"SUBMITTED", "QUEUED", "COMPLETED"})
# More builds are queued than the account may have.
CROWDED: Final = "AccountLimitExceededException"
# Of a log: CodeBuild's own lines stand between those that count.
MOST_EVENTS: Final = 100


def start(client: Any, project: str, order: Order) -> str:  # noqa: ANN401 (there are no types of this client here)
    """Start a build by its order; the same order again, within five minutes, gives the same build's id.

    BuildsPending where the account has too many builds waiting.
    """
    try:
        answer = client.start_build(
            projectName=project,
            idempotencyToken=order.token,
            imageOverride=order.image,
            environmentTypeOverride=order.machine,
            environmentVariablesOverride=[
                {"name": name, "value": value, "type": "PLAINTEXT"} for name, value in order.variables.items()
            ],
            timeoutInMinutesOverride=LONGEST,
            queuedTimeoutInMinutesOverride=LONGEST_QUEUED,
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == CROWDED:
            raise BuildsPending("CodeBuild queues no further build of this account at the moment") from error
        raise
    return str(answer["build"]["id"])


def look(client: Any, builds: Iterable[str]) -> dict[str, Build]:  # noqa: ANN401
    """The builds by id; one that CodeBuild does not know is left out."""
    ids = sorted(set(builds))
    pages = (ids[start : start + MOST_AT_ONCE] for start in range(0, len(ids), MOST_AT_ONCE))
    found = (one for page in pages for one in client.batch_get_builds(ids=page)["builds"])
    return {one["id"]: _read(one, datetime.now(UTC)) for one in found}


def _read(found: Mapping[str, Any], now: datetime) -> Build:
    phases = found.get("phases", ())
    failed = (one for one in phases if one.get("phaseStatus", "SUCCEEDED") != "SUCCEEDED")
    bad: Mapping[str, Any] = next(failed, {})
    contexts = (one.get("message", "") for one in bad.get("contexts", ()))
    logs = found.get("logs", {})
    started = found.get("startTime", now)
    return Build(
        id=found["id"],
        status=found["buildStatus"],
        phase=bad.get("phaseType", ""),
        reason=" ".join(filter(None, contexts))[:500],
        age=(now - started).total_seconds(),
        seconds=sum(one.get("durationInSeconds", 0) for one in phases if one["phaseType"] not in UNPAID),
        log_group=logs.get("groupName") or "",
        log_stream=logs.get("streamName") or "",
        link=logs.get("deepLink") or "",
    )


def stop(client: Any, build: str) -> None:  # noqa: ANN401
    """Stop a build; one that has ended stays as it is."""
    client.stop_build(id=build)


def read_tail(client: CloudWatchLogsClient, build: Build, own_line: str) -> tuple[str, ...]:
    """The last lines that a build's commands printed; none where it has no log."""
    if not build.log_group or not build.log_stream:
        return ()
    try:
        answer = client.get_log_events(
            logGroupName=build.log_group,
            logStreamName=build.log_stream,
            limit=MOST_EVENTS,
            startFromHead=False,
        )
    except client.exceptions.ResourceNotFoundException:
        return ()
    lines = (line for event in answer["events"] for line in event["message"].splitlines())
    return tuple(line for line in lines if not line.startswith(own_line))[-TAIL_LINES:]
