"""Targets of EventBridge rules and schedules: one function per kind, each hands one text over to one service.

A target that no function here takes is refused when it is put. An error of the service leaves as it is.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

Json: TypeAlias = dict[str, Any]


class Arn(NamedTuple):
    """`arn:aws:<service>:<region>:<account>:<resource>`; the resource may hold colons."""

    service: str
    region: str
    account: str
    resource: str


def read_arn(text: str) -> Arn:
    """Take an ARN apart."""
    parts = text.split(":", 5)
    if len(parts) < 6 or parts[0] != "arn":  # noqa: PLR2004
        raise ValueError(f"{text} is not an ARN")
    return Arn(*parts[2:])


def find_kind(arn: str) -> str | None:
    """The kind of a target (`states`, `lambda`, …), None if the local cloud cannot deliver to it."""
    try:
        service, _, _, resource = read_arn(arn)
    except ValueError:
        return None
    head = resource.replace("/", ":").split(":")[0]
    wanted = {"states": "stateMachine", "lambda": "function", "logs": "log-group", "events": "event-bus"}
    if service in wanted:
        return service if head == wanted[service] else None
    return service if service in {"sqs", "sns"} else None


def deliver(target: Json, text: str, token: str, event: Json) -> None:
    """Hand `text` to the target. `token` is the same for each attempt at the same delivery."""
    kind = find_kind(target["Arn"])
    if kind is None:
        raise ValueError(f"The local cloud cannot deliver to {target['Arn']}")
    KINDS[kind](target, read_arn(target["Arn"]), text, token, event)


def _start_execution(target: Json, arn: Arn, text: str, token: str, _: Json) -> None:
    from moto.stepfunctions.parser.models import stepfunctions_parser_backends

    name = f"{token[:36]}_{uuid.uuid5(uuid.NAMESPACE_OID, token)}"
    stepfunctions_parser_backends[arn.account][arn.region].start_execution(target["Arn"], name, text)


def _invoke(target: Json, _: Arn, text: str, __: str, ___: Json) -> None:
    from tidegate.local import functions

    functions.invoke(target["Arn"], text.encode(), invocation_type="Event")


def _send(target: Json, arn: Arn, text: str, _: str, __: Json) -> None:
    from moto.sqs.models import sqs_backends

    group = (target.get("SqsParameters") or {}).get("MessageGroupId")
    sqs_backends[arn.account][arn.region].send_message(arn.resource, text, group_id=group)


def _publish(target: Json, arn: Arn, text: str, _: str, __: Json) -> None:
    from moto.sns.models import sns_backends

    sns_backends[arn.account][arn.region].publish(message=text, arn=target["Arn"])


def _forward(_: Json, arn: Arn, __: str, ___: str, event: Json) -> None:
    from tidegate.local.events import route

    route(event, arn.resource.split("/", 1)[1], arn.account, arn.region)


def _log(_: Json, arn: Arn, text: str, token: str, __: Json) -> None:
    from moto.logs.models import logs_backends

    group = arn.resource.split(":")[1]
    backend = logs_backends[arn.account][arn.region]
    stream = str(uuid.uuid5(uuid.NAMESPACE_OID, token))
    if stream not in backend.groups[group].streams:
        backend.create_log_stream(group, stream)
    backend.put_log_events(group, stream, [{"timestamp": int(time.time() * 1000), "message": text}])


KINDS: Final[dict[str, Callable[[Json, Arn, str, str, Json], None]]] = {
    "states": _start_execution,
    "lambda": _invoke,
    "sqs": _send,
    "sns": _publish,
    "events": _forward,
    "logs": _log,
}


def bury(queue_arn: str, text: str, attributes: dict[str, str]) -> None:
    """Put what could not be delivered into the dead-letter queue, with the reason as message attributes."""
    from moto.sqs.models import sqs_backends

    arn = read_arn(queue_arn)
    shown = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    queues = sqs_backends[arn.account][arn.region]
    queues.send_message(arn.resource, text, message_attributes=shown)


def explain(error: Exception) -> tuple[str, str]:
    """Code and message of a service's error."""
    code = getattr(error, "error_type", None) or getattr(error, "code", None)
    name = code if isinstance(code, str) else type(error).__name__
    message = getattr(error, "message", None)
    return name, message if isinstance(message, str) and message else json.dumps(str(error))[1:-1]
