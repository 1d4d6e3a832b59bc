"""AWS::Scheduler::Schedule and ScheduleGroup."""

from __future__ import annotations

from typing import Final

from tidegate.local.resources.api import ApiKind
from tidegate.local.resources.kinds import Naming, Request


class Schedule(ApiKind):
    """A schedule; Ref is its name. An update puts the whole of it."""

    type = "AWS::Scheduler::Schedule"
    create_only = frozenset({"Name"})
    naming = Naming("Name", 64)
    service, creates, updates, deletes = "scheduler", "create_schedule", "update_schedule", "delete_schedule"
    key = "Name"
    returned = {"Arn": "ScheduleArn"}  # noqa: RUF012

    def delete(self, request: Request) -> None:
        """DeleteSchedule."""
        names = {"Name": request.physical_id, **request.pick("GroupName")}
        request.discard("scheduler", "delete_schedule", **names)


class ScheduleGroup(ApiKind):
    """A group of schedules; Ref is its name."""

    type = "AWS::Scheduler::ScheduleGroup"
    create_only = frozenset({"Name"})
    naming = Naming("Name", 64)
    service, creates, deletes = "scheduler", "create_schedule_group", "delete_schedule_group"
    key = "Name"
    returned = {"Arn": "ScheduleGroupArn"}  # noqa: RUF012


KINDS: Final = (Schedule, ScheduleGroup)
