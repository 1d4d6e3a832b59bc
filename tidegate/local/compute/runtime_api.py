"""The Runtime API that one sandbox's process talks to: it takes events and gives back what became of them.

Each sandbox has a server of its own, on a port of its own, because the address in AWS_LAMBDA_RUNTIME_API
has no room for a path. It knows the protocol only, neither time limits nor processes.
Protocol: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler
from queue import SimpleQueue
from typing import Any, Final

PREFIX: Final = "/2018-06-01/runtime/"
ENDS: Final = "Tidegate-Process-Ends"  # a header of our own bootstrap's, which leaves no race for its end


@dataclass(frozen=True, slots=True)
class Event:
    """One invocation as it is handed to the runtime; `deadline_ms` is in Unix milliseconds."""

    request_id: str
    payload: bytes
    deadline_ms: int
    function_arn: str
    tenant_id: str | None = None
    client_context: str | None = None


class Kind(Enum):
    """What a runtime can tell."""

    READY = auto()
    INIT_ERROR = auto()
    RESPONSE = auto()
    ERROR = auto()
    EXIT = auto()


@dataclass(frozen=True, slots=True)
class Signal:
    """What the runtime told; `body` is a JSON document, for an exit the reason in words.

    `ends`: the process ends with it, and serves nothing more.
    """

    kind: Kind
    request_id: str = ""
    body: bytes = b""
    ends: bool = False


class RuntimeApi:
    """A running server; `events` go to the process, `signals` come from it."""

    def __init__(self) -> None:
        self.events: SimpleQueue[Event | None] = SimpleQueue()
        self.signals: SimpleQueue[Signal] = SimpleQueue()
        self._closed = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        host, port = self._listener.getsockname()
        self.address = f"{host}:{port}"
        threading.Thread(target=self._accept, name="tidegate-runtime-api", daemon=True).start()

    def close(self) -> None:
        """End the server; the process's open poll is answered with the end of its connection."""
        if self._closed:
            return
        self._closed = True
        self.events.put(None)
        try:
            socket.create_connection(self._listener.getsockname()).close()
        finally:
            self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, address = self._listener.accept()
            except OSError:
                return
            if self._closed:
                connection.close()
                return
            threading.Thread(target=self._serve, args=(connection, address), daemon=True).start()

    def _serve(self, connection: socket.socket, address: Any) -> None:  # noqa: ANN401
        with connection:
            try:
                _Handler(connection, address, self)
            except OSError:
                return  # the process is gone, and its end is a signal of its own


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # without it each answer waits 40 ms for an acknowledgement

    def __init__(self, connection: socket.socket, address: Any, api: RuntimeApi) -> None:  # noqa: ANN401
        self.api = api
        super().__init__(connection, address, api)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        if self.path != f"{PREFIX}invocation/next":
            self._answer(404, {}, b"{}")
            return
        self.api.signals.put(Signal(Kind.READY))
        event = self.api.events.get()
        if event is None:
            self.close_connection = True
            return
        self._answer(200, _headers(event), event.payload)

    def do_POST(self) -> None:
        body = self._body()
        parts = self.path.removeprefix(PREFIX).split("/")
        match parts:
            case ["init", "error"]:
                signal = Signal(Kind.INIT_ERROR, body=body)
            case ["invocation", request_id, "response"]:
                signal = Signal(Kind.RESPONSE, request_id, body)
            case ["invocation", request_id, "error"]:
                signal = Signal(Kind.ERROR, request_id, body, ends=ENDS in self.headers)
            case _:
                self._answer(404, {}, b"{}")
                return
        self.api.signals.put(signal)
        self._answer(202, {}, b'{"status":"OK"}')

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._chunks()
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def _chunks(self) -> bytes:
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        lines = [f"HTTP/1.1 {status} {'OK' if status == 200 else 'Accepted'}"]  # noqa: PLR2004
        fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
        lines += [f"{name}: {value}" for name, value in fields.items()]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body)

    def log_message(self, *_: Any) -> None:  # noqa: ANN401
        """Stay silent: each call is a step of an invocation, which has a log of its own."""


def _headers(event: Event) -> dict[str, str]:
    headers = {
        "Lambda-Runtime-Aws-Request-Id": event.request_id,
        "Lambda-Runtime-Deadline-Ms": str(event.deadline_ms),
        "Lambda-Runtime-Invoked-Function-Arn": event.function_arn,
        "Lambda-Runtime-Trace-Id": _trace_id(event),
    }
    if event.tenant_id is not None:
        headers["Lambda-Runtime-Aws-Tenant-Id"] = event.tenant_id
    if event.client_context is not None:
        headers["Lambda-Runtime-Client-Context"] = event.client_context
    return headers


def _trace_id(event: Event) -> str:
    return f"Root=1-{event.deadline_ms // 1000:08x}-{event.request_id.replace('-', '')[:24]}"
