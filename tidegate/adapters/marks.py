"""Failure marks in a function's log: which requests they are of, and of which version.

A line belongs to the version in the brackets of its stream's name. A request counts once where its lines name
it, else each line counts. Source: Amazon CloudWatch Logs API Reference, FilterLogEvents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from tidegate.domain.log_lines import find_version, identify_request

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_logs import CloudWatchLogsClient

    from tidegate.domain.rollouts import RollingFunction


def find_marks(
    client: CloudWatchLogsClient, function: RollingFunction, start: datetime, end: datetime, mark: str
) -> dict[tuple[str, str], int]:
    """The first marked line of each (version, request) in [start, end), in milliseconds since 1970."""
    seen: dict[tuple[str, str], int] = {}
    pages = client.get_paginator("filter_log_events").paginate(
        logGroupName=function.log_group,
        filterPattern=mark,
        startTime=int(start.timestamp() * 1000),
        endTime=int(end.timestamp() * 1000) - 1,
    )
    try:
        for page in pages:
            for event in page["events"]:
                version = find_version(event["logStreamName"], function.name)
                if version:
                    request = identify_request(event["message"]) or event["eventId"]
                    seen.setdefault((version, request), event["timestamp"])
    except ClientError as error:
        # The group comes into being with the first invocation.
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
    return seen
