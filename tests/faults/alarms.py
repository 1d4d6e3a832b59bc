"""The event of production's alarm, as CloudWatch words it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tidegate.domain.guards import alarm_name
from tidegate.domain.triggers import ALARM
from tidegate.local.cloud import ACCOUNT_ID, REGION
from tidegate.local.events import emit

if TYPE_CHECKING:
    from tests.faults.subjects import Subject


def fire(subject: Subject) -> None:
    """Production's error alarm goes off."""
    name = alarm_name(subject.name, "production", subject.functions[0], "errors")
    at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "+0000"
    state = {"value": "ALARM", "reason": "Threshold Crossed", "timestamp": at}
    emit(
        source="aws.cloudwatch",
        detail_type=ALARM,
        detail={"alarmName": name, "state": state, "previousState": {"value": "OK"}},
        resources=[f"arn:aws:cloudwatch:{REGION}:{ACCOUNT_ID}:alarm:{name}"],
        account=ACCOUNT_ID,
        region=REGION,
    )
