"""What can start a rollback: an alarm, an operator, or the end of a release execution.

Event shapes: Amazon CloudWatch User Guide, "Alarm events and EventBridge"; AWS Step Functions Developer
Guide, "Events in Step Functions using EventBridge".
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

from tidegate.domain.guards import parse_alarm_name
from tidegate.domain.identity import Frozen

OPERATOR: Final = "Rollback Requested"
ALARM: Final = "CloudWatch Alarm State Change"
EXECUTION: Final = "Step Functions Execution Status Change"
ENDED_BADLY: Final = frozenset({"FAILED", "TIMED_OUT", "ABORTED"})


class AlarmFired(Frozen):
    """One of Tidegate's alarms went to ALARM; `at` is when it did, where the event says so."""

    service: str
    stage: str
    function: str
    signal: str
    reason: str
    at: datetime | None = None


class ExecutionEnded(Frozen):
    """A release execution ended as FAILED, TIMED_OUT or ABORTED."""

    service: str
    execution: str
    status: str


class OperatorAsked(Frozen):
    """A person wants the service's last release taken back, or the service gone back to the release `to`.

    `stages` limits the latter; empty for all.
    """

    service: str
    reason: str
    to: str = ""
    stages: tuple[str, ...] = ()


class Unrelated(Frozen):
    """An event that asks for nothing."""

    reason: str


Trigger = AlarmFired | ExecutionEnded | OperatorAsked | Unrelated


def read_trigger(event: dict[str, Any]) -> Trigger:
    """The trigger that an event stands for."""
    kind = str(event.get("detail-type", ""))
    detail = event.get("detail")
    if isinstance(detail, dict):
        if kind == ALARM:
            return _read_alarm(detail)
        if kind == EXECUTION:
            return _read_execution(detail)
        if kind == OPERATOR and isinstance(detail.get("service"), str):
            return OperatorAsked(
                service=detail["service"],
                reason=str(detail.get("reason") or "no reason given"),
                to=str(detail.get("to") or ""),
                stages=tuple(str(stage) for stage in detail.get("stages") or ()),
            )
    return Unrelated(reason=f"an event of type {kind!r} starts no rollback")


def _read_alarm(detail: dict[str, Any]) -> Trigger:
    name = str(detail.get("alarmName", ""))
    parsed = parse_alarm_name(name)
    state = detail.get("state") or {}
    if parsed is None:
        return Unrelated(reason=f"{name!r} is not one of Tidegate's alarms")
    if state.get("value") != "ALARM":
        return Unrelated(reason=f"{name} went to {state.get('value')}")
    service, stage, function, signal = parsed
    reason = str(state.get("reason", ""))
    return AlarmFired(
        service=service,
        stage=stage,
        function=function,
        signal=signal,
        reason=reason,
        at=_read_time(str(state.get("timestamp", ""))),
    )


def _read_time(text: str) -> datetime | None:
    """A time as alarm events write it: `2026-03-04T09:00:07.123+0000`."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _read_execution(detail: dict[str, Any]) -> Trigger:
    status = str(detail.get("status", ""))
    if status not in ENDED_BADLY:
        return Unrelated(reason=f"an execution went to {status}")
    try:
        service = json.loads(detail["input"])["commit"]["service"]
    except (KeyError, TypeError, ValueError):
        return Unrelated(reason="the execution is not a release: its input names no service")
    return ExecutionEnded(service=str(service), execution=str(detail.get("executionArn", "")), status=status)
