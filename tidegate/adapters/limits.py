"""Alarms that an operator has set as limits of a rollout, as they are now.

An alarm that was in ALARM before the first shift is not the new version's doing and must not keep a fix from
going out; one that goes into ALARM afterwards ends the rollout. Source: Amazon CloudWatch API Reference,
DescribeAlarms (StateTransitionedTimestamp; 100 names a call).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tidegate.domain.identity import Frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import CompositeAlarmTypeDef, MetricAlarmTypeDef

NAMES_PER_CALL: Final = 100


class Limits(Frozen):
    """Names of alarms: `broken` since the rollout began, `standing` in ALARM since before, `missing`."""

    broken: tuple[str, ...] = ()
    standing: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def read_limits(client: CloudWatchClient, names: Sequence[str], began: datetime) -> Limits:
    """The state of the alarms; `began` is when the first shift began."""
    found = {alarm["AlarmName"]: alarm for alarm in _describe(client, names)}
    ringing = {name: alarm for name, alarm in found.items() if alarm["StateValue"] == "ALARM"}
    standing = {name for name, alarm in ringing.items() if _since(alarm) <= began}
    return Limits(
        broken=tuple(sorted(ringing.keys() - standing)),
        standing=tuple(sorted(standing)),
        missing=tuple(name for name in names if name not in found),
    )


def find_missing(client: CloudWatchClient, names: Sequence[str]) -> tuple[str, ...]:
    """Those of these names that no alarm has."""
    found = {alarm["AlarmName"] for alarm in _describe(client, names)}
    return tuple(name for name in names if name not in found)


def _since(alarm: MetricAlarmTypeDef | CompositeAlarmTypeDef) -> datetime:
    return alarm.get("StateTransitionedTimestamp") or alarm["StateUpdatedTimestamp"]


def _describe(
    client: CloudWatchClient, names: Sequence[str]
) -> Iterator[MetricAlarmTypeDef | CompositeAlarmTypeDef]:
    pages = client.get_paginator("describe_alarms")
    for first in range(0, len(names), NAMES_PER_CALL):
        chunk = list(names[first : first + NAMES_PER_CALL])
        for page in pages.paginate(AlarmNames=chunk, AlarmTypes=["MetricAlarm", "CompositeAlarm"]):
            yield from page["MetricAlarms"]
            yield from page["CompositeAlarms"]
