"""Schedules fire: scheduled EventBridge rules, and the schedules of EventBridge Scheduler.

A clock looks at them a few times a second; what became due since its last look is delivered once. What is due
is decided by `cron`, delivery is `deliveries`.
Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html
"""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from tidegate.local import cron, deliveries, targets

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud

Json: TypeAlias = dict[str, Any]
Rule: TypeAlias = Any
Schedule: TypeAlias = Any
LOOK_SECONDS: Final = 0.25


class Clock:
    """Remembers of each schedule when it was first seen, with which expression, and when it fired last."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[dt.datetime, dt.datetime]] = {}
        self._lock = threading.Lock()

    def is_due(self, name: str, expression: str, now: dt.datetime, zone: str = "UTC") -> bool:
        """Whether it became due since the last look; a new or changed one counts from this look."""
        key = (name, f"{expression} {zone}")
        with self._lock:
            created, last = self._seen.setdefault(key, (now, now))
            due = cron.next_due(expression, last, created, zone)
            if due is None or due > now:
                return False
            self._seen[key] = (created, now)
            return True

    def tick(self, now: dt.datetime) -> None:
        """Deliver what is due."""
        from moto.events.models import events_backends
        from moto.scheduler.models import scheduler_backends

        for regions in list(events_backends.values()):
            for backend in list(regions.values()):
                for rule in list(backend.event_buses["default"].rules.values()):
                    self._look_at_rule(rule, now)
        for regions in list(scheduler_backends.values()):
            for backend in list(regions.values()):
                for group in list(backend.schedule_groups.values()):
                    for schedule in list(group.schedules.values()):
                        self._look_at_schedule(group, schedule, now)

    def _look_at_rule(self, rule: Rule, now: dt.datetime) -> None:
        from tidegate.local.events import compose, send

        expression = rule.scheduled_expression
        if not expression or not rule.state.startswith("ENABLED"):
            return
        if self.is_due(rule.arn, expression, now):
            where = (rule.account_id, rule.region_name)
            send(rule, compose("aws.events", "Scheduled Event", {}, [rule.arn], *where, now))

    def _look_at_schedule(self, group: Rule, schedule: Schedule, now: dt.datetime) -> None:
        if schedule.state != "ENABLED" or not _is_within(schedule, now):
            return
        if not self.is_due(
            schedule.arn, schedule.schedule_expression, now, schedule.schedule_expression_timezone
        ):
            return
        target = schedule.target
        event = {"id": str(uuid.uuid4())}
        token = f"{event['id']}/{schedule.arn}"
        text = target.get("Input") or "{}"
        deliveries.send(deliveries.Delivery(dict(target), text, token, event, schedule.arn))
        if schedule.schedule_expression.startswith("at(") and schedule.action_after_completion == "DELETE":
            group.schedules.pop(schedule.name, None)


def _is_within(schedule: Schedule, now: dt.datetime) -> bool:
    start, end = (_moment(value) for value in (schedule.start_date, schedule.end_date))
    return (start is None or now >= start) and (end is None or now < end)


def _moment(value: Any) -> dt.datetime | None:  # noqa: ANN401
    if value is None:
        return None
    if isinstance(value, str):
        moment = dt.datetime.fromisoformat(value)
        return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return dt.datetime.fromtimestamp(float(value), tz=dt.UTC)


def check(expression: str, target: Json | None = None) -> None:
    """Refuse an expression that AWS does not take, and a target that the local cloud cannot deliver to."""
    from moto.scheduler.exceptions import ValidationException

    try:
        cron.read(expression)
    except ValueError as error:
        raise ValidationException(f"Invalid Schedule Expression {expression}. {error}") from error
    if target is not None and targets.find_kind(target["Arn"]) in {None, "events", "logs"}:
        raise ValidationException(f"The local cloud cannot deliver to the schedule's target {target['Arn']}")


def install(cloud: LocalCloud) -> None:
    """Check schedules when they are put, and start the clock."""
    from moto.events.models import EventsBackend
    from moto.scheduler.models import Schedule as Engine

    clock = Clock()
    put_rule = EventsBackend.put_rule
    validate = Engine.__init__
    update = Engine.update

    def put(backend: Any, name: str, *args: Any, **given: Any) -> Rule:  # noqa: ANN401
        if given.get("scheduled_expression"):
            check(given["scheduled_expression"])
        return put_rule(backend, name, *args, **given)

    def create(schedule: Schedule, *args: Any, **given: Any) -> None:  # noqa: ANN401
        check(given["schedule_expression"], given["target"])
        validate(schedule, *args, **given)

    def change(schedule: Schedule, *args: Any, **given: Any) -> None:  # noqa: ANN401
        check(given["schedule_expression"], given["target"])
        update(schedule, *args, **given)

    cloud.patch(EventsBackend, "put_rule", put)
    cloud.patch(Engine, "__init__", create)
    cloud.patch(Engine, "update", change)
    cloud.every(LOOK_SECONDS, "schedules", lambda: clock.tick(dt.datetime.now(tz=dt.UTC)))
