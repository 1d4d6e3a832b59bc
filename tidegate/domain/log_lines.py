"""What the lines of a function's log say of its requests: one starts, one ended and how, one failed.

Lambda's own lines are text (`REPORT RequestId: …`) or JSON records (`platform.report`), by the function's log
format. Text reports say nothing of an exception that the handler raised: the runtime's own line does, for the
runtimes in `TELLING`. Imports the standard library only, since a function that starts often uses it.
Sources: AWS Lambda Developer Guide, "Log formats", and "Lambda Telemetry API Event schema reference".
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

STREAM_VERSION: Final = re.compile(r"(?P<function>[^/\[]*)\[(?P<version>\$LATEST|\d+)\]")
REQUEST_KEYS: Final = ("function_request_id", "requestId", "request_id", "awsRequestId", "aws_request_id")
REQUEST_ID: Final = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
TEXT_REPORT: Final = "REPORT RequestId: "
TEXT_START: Final = "START RequestId: "
FIELDS: Final = re.compile(r"(?:^|\t)(?P<name>[A-Z][\w ]*): (?P<value>[^\t\n]*)")
TIMED_OUT: Final = re.compile(r"(?:^|\s)(?P<request>[0-9a-f-]{36}) Task timed out after [\d.]+ seconds\s*$")
# The runtimes whose text logs tell of an exception, and how the line of it begins.
TELLING: Final = ("nodejs", "python", "ruby")
RAISED: Final = re.compile(
    r"(?:LAMBDA_WARNING: Unhandled exception|\[ERROR\] [\w.]+(?::|\s*$|[\r\n])"
    r"|[\w:.-]+\t(?P<request>[0-9a-f-]{36}|undefined)\tERROR\t"
    r"(?:Invoke Error|Uncaught Exception|Unhandled Promise)"
    r"|Error raised from handler method)"
)


@dataclass(frozen=True, slots=True)
class Start:
    """A request starts."""

    event: str
    at: int
    request: str


@dataclass(frozen=True, slots=True)
class Report:
    """A request ended: times in milliseconds, `at` (its end) since 1970, `billed` in GB-milliseconds.

    `init` is the Init Duration, or the time that a snapshot took to restore; None where the request was warm.
    """

    event: str
    at: int
    request: str
    duration: float
    init: float | None
    billed: float
    failed: bool
    timed_out: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """A line that says that a request failed; `request` is empty where nothing tells whose line it is."""

    event: str
    at: int
    request: str
    timed_out: bool = False


def find_version(stream: str, function: str) -> str | None:
    """The version that a log stream is of; None where it is another function's.

    A function's own group has `2026/01/02/[7]…`, one that functions share `2026/01/02/orders-place[7]…`
    (AWS Lambda Developer Guide, "Configuring CloudWatch log groups").
    """
    found = STREAM_VERSION.search(stream)
    if found is None or (found["function"] and found["function"] != function):
        return None
    return found["version"]


def identify_request(message: str) -> str:
    """The request that a line names as its own; empty where it names none."""
    if not message.lstrip().startswith("{"):
        found = REQUEST_ID.search(message)
        return found[0] if found else ""
    try:
        record = json.loads(message)
    except ValueError:
        return ""
    return next((str(record[key]) for key in REQUEST_KEYS if record.get(key)), "")


def read_lines(
    events: Iterable[Mapping[str, Any]], is_marked: Callable[[str], bool]
) -> Iterator[Start | Report | Mark]:
    """What one stream's log events (`id`, `timestamp` in ms, `message`) say, in their order.

    A marked line belongs to the request that it names, if that one is known here, else to the one that is
    running: an environment has one at a time. Where the beginning and the end of that one are elsewhere, the
    line's own word is taken, or none.
    """
    found = [_read(event, is_marked) for event in events]
    known = {item.request for item in found if isinstance(item, (Start, Report))}
    running = ""
    for index, item in enumerate(found):
        if item is None:
            continue
        if isinstance(item, Start):
            running = item.request
        elif isinstance(item, Report):
            running = ""
        elif item.request not in known:
            request = running or _next_report(found[index:]) or item.request
            yield Mark(item.event, item.at, request, item.timed_out)
            continue
        yield item


def _next_report(items: list[Start | Report | Mark | None]) -> str:
    """The request that ends next, if none starts before that."""
    platform = next((item for item in items if isinstance(item, (Start, Report))), None)
    return platform.request if isinstance(platform, Report) else ""


def _read(event: Mapping[str, Any], is_marked: Callable[[str], bool]) -> Start | Report | Mark | None:
    name, at, message = str(event["id"]), int(event["timestamp"]), str(event["message"])
    platform = _read_platform(name, at, message)
    if platform is not None:
        return platform
    if (found := TIMED_OUT.search(message)) is not None:
        return Mark(name, at, found["request"], timed_out=True)
    if (found := RAISED.match(message)) is not None:
        return Mark(name, at, found["request"] or "")
    if is_marked(message):
        return Mark(name, at, identify_request(message))
    return None


def _read_platform(event: str, at: int, message: str) -> Start | Report | None:
    if message.startswith(TEXT_REPORT):
        return _read_text_report(event, at, message)
    if message.startswith(TEXT_START):
        return Start(event, at, message[len(TEXT_START) :].partition(" ")[0].strip())
    if message.startswith("{") and '"platform.' in message:
        return _read_record(event, at, message)
    return None


def _read_text_report(event: str, at: int, message: str) -> Report | None:
    """A REPORT line; None where it is cut, so that no half of one is taken for a whole."""
    fields = {found["name"]: found["value"] for found in FIELDS.finditer(message[len("REPORT ") :])}
    try:
        init = fields.get("Init Duration") or fields.get("Restore Duration")
        status = fields.get("Status", "success")
        return Report(
            event=event,
            at=at,
            request=fields["RequestId"].strip(),
            duration=_number(fields["Duration"]),
            init=None if init is None else _number(init),
            billed=_number(fields["Billed Duration"]) * _number(fields["Memory Size"]) / 1024,
            failed=status.strip() != "success",
            timed_out=status.strip() == "timeout",
        )
    except (KeyError, ValueError):
        return None


def _number(text: str) -> float:
    return float(text.partition(" ")[0])


def _read_record(event: str, at: int, message: str) -> Start | Report | None:
    """A platform record; None for those that say nothing of a request, and for what only looks like one."""
    try:
        document = json.loads(message)
        kind, record = document["type"], document["record"]
        if kind == "platform.start":
            return Start(event, at, record["requestId"])
        if kind != "platform.report":
            return None
        metrics = record["metrics"]
        init = metrics.get("initDurationMs", metrics.get("restoreDurationMs"))
        return Report(
            event=event,
            at=at,
            request=record["requestId"],
            duration=float(metrics["durationMs"]),
            init=None if init is None else float(init),
            billed=float(metrics["billedDurationMs"]) * float(metrics["memorySizeMB"]) / 1024,
            failed=record["status"] != "success",
            timed_out=record["status"] == "timeout",
        )
    except (KeyError, TypeError, ValueError):
        return None
