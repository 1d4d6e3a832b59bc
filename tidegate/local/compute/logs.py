"""The log stream of one sandbox: what the process prints, and the platform's lines around each invocation.

Text lines and JSON records are worded as Lambda words them, because readers parse them:
https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html and .../telemetry-schema-reference.html
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from moto.logs.models import logs_backends

if TYPE_CHECKING:
    from tidegate.local.compute.blueprint import Blueprint

TAIL: Final = 4096
STREAM_LOCK: Final = threading.RLock()


def now_ms() -> int:
    """Tell the time in Unix milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Report:
    """What the platform says at the end of an invocation; times in milliseconds, memory in MB."""

    request_id: str
    status: str
    duration: float
    init: float | None
    memory_size: int
    memory_used: int


class SandboxLog:
    """Collects lines and puts them into the log group in batches; `flush` may be called from any thread."""

    def __init__(self, blueprint: Blueprint) -> None:
        self._blueprint = blueprint
        self._logging = blueprint.logging
        day = datetime.now(UTC).strftime("%Y/%m/%d")
        self.stream = f"{day}/[{blueprint.version}]{uuid.uuid4().hex}"
        self._lock = threading.Lock()
        self._lines: list[tuple[int, str]] = []
        self._tail = b""

    def write(self, message: str, at_ms: int | None = None) -> None:
        """Take one message of the process; an empty one is dropped, as CloudWatch has none."""
        if not message.strip():
            return
        with self._lock:
            self._lines.append((now_ms() if at_ms is None else at_ms, message))
            self._tail = (self._tail + message.encode())[-TAIL:]

    def flush(self) -> None:
        """Put what was collected into the log stream, oldest first."""
        with self._lock:
            lines, self._lines = sorted(self._lines, key=lambda line: line[0]), []
        if lines:
            put_lines(self._blueprint, self.stream, lines)

    def tail(self) -> bytes:
        """Give the last 4 KB since the invocation's start."""
        with self._lock:
            return self._tail

    def init_start(self) -> None:
        """Say that the sandbox starts."""
        runtime = re.sub(r"^(python|nodejs)", r"\1:", self._blueprint.runtime.removesuffix(".x"))
        version = self._blueprint.version
        self._platform(
            "initStart",
            {"initializationType": "on-demand", "phase": "init", "runtimeVersion": runtime,
             "functionName": self._blueprint.name, "functionVersion": version},
            f"INIT_START Runtime Version: {runtime}\n",
        )  # fmt: skip

    def init_failed(self, duration: float, error_type: str) -> None:
        """Say that the sandbox could not start."""
        self._platform(
            "initReport",
            {"initializationType": "on-demand", "phase": "init", "status": "error", "errorType": error_type,
             "metrics": {"durationMs": round(duration, 3)}},
            f"INIT_REPORT Init Duration: {duration:.2f} ms\tPhase: init\tStatus: error\t"
            f"Error Type: {error_type}\n",
            severe=True,
        )  # fmt: skip

    def start(self, request_id: str) -> None:
        """Say that an invocation starts; the tail starts here too."""
        with self._lock:
            self._tail = b""
        version = self._blueprint.version
        self._platform(
            "start",
            {"requestId": request_id, "version": version},
            f"START RequestId: {request_id} Version: {version}\n",
        )

    def report(self, report: Report) -> None:
        """Say how an invocation ended."""
        failed = report.status != "success"
        metrics = _metrics(report)
        done = {"requestId": report.request_id, "status": report.status}
        end = f"END RequestId: {report.request_id}\n"
        self._platform("runtimeDone", done, end, severe=failed, detail=not failed)
        self._platform("report", {**done, "metrics": metrics}, _report_line(report), severe=failed)
        self.flush()

    def _platform(
        self, kind: str, record: dict[str, Any], line: str, *, severe: bool = False, detail: bool = False
    ) -> None:
        if not self._logging.json:
            self.write(line)
            return
        level = self._logging.system_level
        if severe or level == "DEBUG" or (level == "INFO" and not detail):
            moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            document = {"time": moment, "type": f"platform.{kind}", "record": record}
            self.write(json.dumps(document, separators=(",", ":")) + "\n")


def _billed(report: Report) -> int:
    return int(-(-(report.duration + (report.init or 0.0)) // 1))


def _metrics(report: Report) -> dict[str, Any]:
    metrics: dict[str, Any] = {
        "durationMs": round(report.duration, 3),
        "billedDurationMs": _billed(report),
        "memorySizeMB": report.memory_size,
        "maxMemoryUsedMB": report.memory_used,
    }
    if report.init is not None:
        metrics["initDurationMs"] = round(report.init, 3)
    return metrics


def _report_line(report: Report) -> str:
    fields = [
        f"REPORT RequestId: {report.request_id}",
        f"Duration: {report.duration:.2f} ms",
        f"Billed Duration: {_billed(report)} ms",
        f"Memory Size: {report.memory_size} MB",
        f"Max Memory Used: {report.memory_used} MB",
    ]
    if report.init is not None:
        fields.append(f"Init Duration: {report.init:.2f} ms")
    # In text the report says nothing of an exception: the runtime's own line does.
    if report.status == "timeout":
        fields.append("Status: timeout")
    if report.status == "failure":
        fields.append("Status: error\tError Type: Runtime.ExitError")
    return "\t".join(fields) + "\t\n"


def put_lines(blueprint: Blueprint, stream: str, lines: list[tuple[int, str]]) -> None:
    """Append lines to a stream of the function's log group, which is made if it is not there."""
    backend = logs_backends[blueprint.account_id][blueprint.region]
    group = blueprint.logging.group
    with STREAM_LOCK:
        backend.ensure_log_group(group)
        backend.ensure_log_stream(group, stream)
        events = [{"timestamp": at_ms, "message": message} for at_ms, message in lines]
        backend.groups[group].put_log_events(stream, events)
