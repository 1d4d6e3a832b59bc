"""EventBridge: events put on a bus, or emitted by a service, reach the targets of the rules they match.

Routing is done at once, delivery by `deliveries`. Other parts of the cloud announce what happens by `emit`.
Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from tidegate.local import deliveries, inputs, notifications, patterns, schedules, targets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tidegate.local.cloud import LocalCloud

Json: TypeAlias = dict[str, Any]
Rule: TypeAlias = Any
Backend: TypeAlias = Any
LARGEST_BATCH: Final = 10


def emit(
    *,
    source: str,
    detail_type: str,
    detail: Json,
    resources: Sequence[str],
    account: str,
    region: str,
    bus: str = "default",
) -> str:
    """Put an event of a service on a bus; gives the event's id."""
    event = compose(source, detail_type, detail, resources, account, region)
    route(event, bus, account, region)
    return str(event["id"])


def compose(
    source: str,
    detail_type: str,
    detail: Json,
    resources: Sequence[str],
    account: str,
    region: str,
    moment: dt.datetime | None = None,
) -> Json:
    """An event in AWS's shape, with a new id."""
    now = dt.datetime.now(tz=dt.UTC)
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": account,
        "time": (moment or now).astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": list(resources),
        "detail": detail,
        "ingestion-time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def route(event: Json, bus: str, account: str, region: str) -> None:
    """Send an event to the targets of the bus's enabled rules that match it."""
    from moto.events.models import events_backends

    found = events_backends[account][region]._get_event_bus(bus)
    for rule in list(found.rules.values()):
        _offer(rule, event)


def _offer(rule: Rule, event: Json, *_: object, **__: object) -> None:
    pattern = rule.event_pattern.get_pattern()
    if rule.state.startswith("ENABLED") and pattern and patterns.match(pattern, event):
        send(rule, event)


def send(rule: Rule, event: Json) -> None:
    """Send an event to all targets of a rule, whatever its pattern."""
    for target in list(rule.targets):
        if _is_archive(target):
            _keep(rule, event)
            continue
        text = inputs.shape(target, event, {"arn": rule.arn, "name": rule.name})
        token = f"{event['id']}/{rule.arn}/{target['Id']}"
        deliveries.send(deliveries.Delivery(dict(target), text, token, event, rule.arn))


def _is_archive(target: Json) -> bool:
    return str(target["Arn"]).endswith(":::")


def _keep(rule: Rule, event: Json) -> None:
    from moto.events.models import events_backends

    archives = events_backends[rule.account_id][rule.region_name].archives
    archives[rule.name.removeprefix("Events-Archive-")].events.append(event)


def put_events(backend: Backend, events: list[Json]) -> list[Json]:
    """PutEvents: each entry stands for itself; one that AWS would refuse is answered with its error."""
    from moto.events.exceptions import ValidationException

    if len(events) > LARGEST_BATCH:
        raise ValidationException(
            "1 validation error detected: Value '[PutEventsRequestEntry]' at 'entries' failed to satisfy "
            "constraint: Member must have length less than or equal to 10"
        )
    return [_put(backend, entry) for entry in events]


def _put(backend: Backend, entry: Json) -> Json:
    for field in ("Source", "DetailType", "Detail"):
        if not entry.get(field):
            message = f"Parameter {field} is not valid. Reason: {field} is a required argument."
            return {"ErrorCode": "InvalidArgument", "ErrorMessage": message}
    detail = _read_detail(entry["Detail"])
    if detail is None:
        return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
    bus = backend._normalize_event_bus_arn(entry.get("EventBusName"))
    moment = dt.datetime.fromtimestamp(float(entry["Time"]), tz=dt.UTC) if entry.get("Time") else None
    where = (backend.account_id, backend.region_name)
    event = compose(
        entry["Source"], entry["DetailType"], detail, entry.get("Resources") or [], *where, moment
    )
    route(event, bus, *where)
    return {"EventId": event["id"]}


def _read_detail(text: str) -> Json | None:
    try:
        detail = json.loads(text)
    except ValueError:
        return None
    return detail if isinstance(detail, dict) else None


def check_targets(wanted: list[Json]) -> None:
    """Refuse, by name, a target that cannot be delivered to."""
    from moto.events.exceptions import ValidationException

    for target in wanted:
        if not _is_archive(target) and targets.find_kind(target["Arn"]) is None:
            raise ValidationException(
                f"The local cloud cannot deliver to target {target['Id']}: {target['Arn']}"
            )
        for path in ((target.get("InputTransformer") or {}).get("InputPathsMap") or {}).values():
            try:
                inputs.select(path, {})
            except ValueError as error:
                raise ValidationException(
                    f"InputPath for target {target['Id']} is invalid: {error}"
                ) from error


def _check_pattern(_: object, pattern: Json) -> None:
    from moto.events.exceptions import InvalidEventPatternException

    faults = list(patterns.check(pattern)) if pattern else []
    if faults:
        raise InvalidEventPatternException(reason="; ".join(faults))


def install(cloud: LocalCloud) -> None:
    """Replace matching, routing and delivery, and open what feeds them."""
    from moto.events import models

    original = models.EventsBackend.put_targets

    def put_targets(backend: Backend, name: str, event_bus_arn: str | None, targets: list[Json]) -> None:
        check_targets(targets)
        original(backend, name, event_bus_arn, targets)

    cloud.patch(models.EventsBackend, "put_targets", put_targets)
    cloud.patch(models.EventsBackend, "put_events", put_events)
    cloud.patch(models.Rule, "send_to_targets", _offer)
    cloud.patch(models.EventPatternParser, "_validate_event_pattern", _check_pattern)
    cloud.patch(
        models.EventPattern,
        "matches_event",
        lambda pattern, event: patterns.match(pattern.get_pattern(), event),
    )
    deliveries.install(cloud)
    notifications.install(cloud)
    schedules.install(cloud)
