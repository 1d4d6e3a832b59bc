"""One sandbox (execution environment): a process that serves one invocation at a time of one version.

It enforces the time limit by ending the process, and turns every way in which a process can fail into the
answer that Lambda gives for it. Which sandbox serves which invocation is the pool's affair.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING, Final

from tidegate.local.compute.blueprint import process_environment
from tidegate.local.compute.commands import command_of
from tidegate.local.compute.logs import Report, SandboxLog, now_ms
from tidegate.local.compute.output import Output
from tidegate.local.compute.runtime_api import Event, Kind, RuntimeApi, Signal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidegate.local.compute.blueprint import Blueprint, Credentials

INIT_SECONDS: Final = 10.0
RESPONSE_LIMIT: Final = 6_291_556
STATUS_BY_KIND: Final = {
    Kind.RESPONSE: "success",
    Kind.ERROR: "error",
    Kind.INIT_ERROR: "error",
    Kind.EXIT: "failure",
}


@dataclass(frozen=True, slots=True)
class Invocation:
    """One request to a version; `function_arn` is the ARN as it was invoked, with its qualifier."""

    request_id: str
    payload: bytes
    function_arn: str
    tenant_id: str | None = None
    client_context: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an invocation; durations in milliseconds, `log_tail` is the last 4 KB of its log."""

    payload: bytes
    status: str
    duration: float
    init: float | None
    log_tail: bytes

    @property
    def function_error(self) -> str | None:
        """Give the value of X-Amz-Function-Error."""
        return None if self.status == "success" else "Unhandled"


@dataclass(frozen=True, slots=True)
class Host:
    """What the sandboxes of one cloud share."""

    home: Path
    endpoint_url: str
    network: Mapping[str, str]


class Sandbox:
    """A process of a blueprint; `alive` tells whether it can serve more."""

    def __init__(
        self, blueprint: Blueprint, host: Host, credentials: Credentials, tenant_id: str | None
    ) -> None:
        self.blueprint = blueprint
        self.tenant_id = tenant_id
        self.idle_since = 0.0
        self._fresh = True
        self._killed = False
        self._peak = 0
        self._folder = host.home / "sandboxes" / uuid.uuid4().hex
        self.log = SandboxLog(blueprint)
        self._api = RuntimeApi()
        self._output = Output(self.log.write)
        self._spawned_at = time.monotonic()
        self.log.init_start()
        self._process = self._spawn(host, credentials)
        threading.Thread(target=self._watch, name="tidegate-sandbox", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Tell whether the process can serve another invocation."""
        return not self._killed and self._process.poll() is None

    def _spawn(self, host: Host, credentials: Credentials) -> subprocess.Popen[bytes]:
        self._folder.mkdir(parents=True)
        blueprint = self.blueprint
        environment = process_environment(
            blueprint,
            api_address=self._api.address,
            stream=self.log.stream,
            scratch=self._folder,
            endpoint_url=host.endpoint_url,
            credentials=credentials,
            network=host.network,
        )
        environment["_LAMBDA_TELEMETRY_LOG_FD"] = str(self._output.frame_to)
        process = subprocess.Popen(  # noqa: S603
            command_of(blueprint),
            cwd=blueprint.task_root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._output.print_to,
            stderr=self._output.print_to,
            pass_fds=(self._output.frame_to,),
            start_new_session=True,
        )
        self._output.started()
        return process

    def _watch(self) -> None:
        code = self._process.wait()
        self._end_group()
        self._output.drain(rest=True)
        self._api.signals.put(Signal(Kind.EXIT, body=_exit_reason(code).encode()))

    def invoke(self, invocation: Invocation) -> Outcome:
        """Serve one invocation; never raises for what the function does."""
        init_signal, init = self._start_up() if self._fresh else (None, None)
        self._fresh = False
        self.log.start(invocation.request_id)
        begun = time.monotonic()
        answer = self._run(invocation) if init_signal is None else init_signal
        duration = (time.monotonic() - begun) * 1000
        if answer is not None and (answer.ends or answer.kind in {Kind.INIT_ERROR, Kind.EXIT}):
            self.kill()
        return self._conclude(invocation, answer, duration, init)

    def _start_up(self) -> tuple[Signal | None, float]:
        """Wait for the runtime to come up; gives the failure, if any, and the time taken in milliseconds."""
        limit = INIT_SECONDS + self.blueprint.timeout
        try:
            told = self._api.signals.get(timeout=limit)
        except Empty:
            told = Signal(Kind.EXIT, body=b"Runtime did not start in time")
        init = (time.monotonic() - self._spawned_at) * 1000
        if told.kind is Kind.READY:
            return None, init
        self._output.drain(rest=True)
        self.log.init_failed(init, _error_type(told))
        return told, init

    def _run(self, invocation: Invocation) -> Signal | None:
        """Hand the event over and wait for its answer; gives None when the time is up."""
        deadline = time.monotonic() + self.blueprint.timeout
        self._api.events.put(
            Event(
                invocation.request_id,
                invocation.payload,
                now_ms() + self.blueprint.timeout * 1000,
                invocation.function_arn,
                invocation.tenant_id,
                invocation.client_context,
            )
        )
        while True:
            try:
                told = self._api.signals.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                self._peak = peak_memory(self._process.pid)
                self.kill()
                return None
            if told.kind is Kind.EXIT or told.request_id == invocation.request_id:
                return told

    def _conclude(
        self, invocation: Invocation, answer: Signal | None, duration: float, init: float | None
    ) -> Outcome:
        self._output.drain(rest=True)
        if answer is None:
            status, payload = "timeout", self._timed_out(invocation.request_id)
        else:
            status, payload = STATUS_BY_KIND[answer.kind], self._payload(invocation.request_id, answer)
            if len(payload) > RESPONSE_LIMIT:
                status, payload = "error", _too_large(len(payload))
        self._peak = max(self._peak, peak_memory(self._process.pid) if self.alive else 0)
        report = Report(invocation.request_id, status, duration, init, self.blueprint.memory_size, self._peak)
        self.log.report(report)
        return Outcome(payload, status, duration, init, self.log.tail())

    def _payload(self, request_id: str, answer: Signal) -> bytes:
        if answer.kind is not Kind.EXIT:
            return answer.body
        message = f"RequestId: {request_id} Error: {answer.body.decode()}"
        self.log.write(f"{message}\nRuntime.ExitError\n")
        return json.dumps({"errorType": "Runtime.ExitError", "errorMessage": message}).encode()

    def _timed_out(self, request_id: str) -> bytes:
        moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        message = f"{moment} {request_id} Task timed out after {self.blueprint.timeout:.2f} seconds"
        self.log.write(f"{message}\n\n")
        return json.dumps({"errorType": "Sandbox.Timedout", "errorMessage": message}).encode()

    def _end_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):  # nothing of it may be left
            os.killpg(self._process.pid, signal.SIGKILL)

    def kill(self) -> None:
        """End the process and all that it started, and remove its folder."""
        self._killed = True
        if self._process.poll() is None:  # once it is reaped its number may be another's
            self._end_group()
        self._process.wait()
        self._api.close()
        self._output.drain(rest=True)
        self.log.flush()
        shutil.rmtree(self._folder, ignore_errors=True)


def _exit_reason(code: int) -> str:
    if code < 0:
        return f"Runtime exited with error: signal: {(signal.strsignal(-code) or str(-code)).lower()}"
    return (
        f"Runtime exited with error: exit status {code}"
        if code
        else "Runtime exited without providing a reason"
    )


def _error_type(told: Signal) -> str:
    if told.kind is Kind.EXIT:
        return "Runtime.ExitError"
    return str(json.loads(told.body).get("errorType", "Runtime.Unknown"))


def _too_large(size: int) -> bytes:
    limit = f"maximum allowed payload size ({RESPONSE_LIMIT} bytes)"
    message = f"Response payload size ({size} bytes) exceeded {limit}."
    return json.dumps({"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message}).encode()


def peak_memory(pid: int) -> int:
    """Tell the most memory that a process has held, in MB; 0 when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return _resident_memory(pid)
    held = next((line for line in status.splitlines() if line.startswith("VmHWM:")), "VmHWM: 0 kB")
    return -(-int(held.split()[1]) // 1024)


def _resident_memory(pid: int) -> int:
    """Ask `ps` where there is no /proc; what it tells is the memory held now."""
    told = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return -(-int(told.stdout.strip() or 0) // 1024)
