"""AWS::CloudWatch: Alarm (with metric math), CompositeAlarm, Dashboard."""

from __future__ import annotations

from typing import Any, Final

from tidegate.local.resources.api import ApiKind
from tidegate.local.resources.kinds import Naming, Request


class Alarm(ApiKind):
    """A metric alarm; Ref is its name."""

    type = "AWS::CloudWatch::Alarm"
    create_only = frozenset({"AlarmName"})
    naming = Naming("AlarmName", 255)
    tagging = "list"
    service, creates, updates = "cloudwatch", "put_metric_alarm", "put_metric_alarm"
    deletes, key = "delete_alarms", "AlarmName"

    def create(self, request: Request) -> None:
        """PutMetricAlarm."""
        super().create(request)
        request.settle(request.name, Arn=request.arn("cloudwatch", f"alarm:{request.name}"))

    def delete(self, request: Request) -> None:
        """DeleteAlarms."""
        request.discard("cloudwatch", "delete_alarms", AlarmNames=[request.physical_id])


class CompositeAlarm(Alarm):
    """An alarm over alarms."""

    type = "AWS::CloudWatch::CompositeAlarm"
    creates, updates = "put_composite_alarm", "put_composite_alarm"


class Dashboard(ApiKind):
    """A dashboard; Ref is its name."""

    type = "AWS::CloudWatch::Dashboard"
    create_only = frozenset({"DashboardName"})
    naming = Naming("DashboardName", 255)
    service, creates, updates = "cloudwatch", "put_dashboard", "put_dashboard"
    deletes, key = "delete_dashboards", "DashboardName"

    def parameters(self, request: Request) -> dict[str, Any]:
        """As they are."""
        return request.rest("Tags")

    def delete(self, request: Request) -> None:
        """DeleteDashboards."""
        request.discard("cloudwatch", "delete_dashboards", DashboardNames=[request.physical_id])


KINDS: Final = (Alarm, CompositeAlarm, Dashboard)
