"""The HTTP server in front of moto: connections stay open, and nothing is looked up twice.

moto's own server closes each connection after one answer, and lists its package's folders for each request to
find the service; together they cost more than most of the calls themselves. A thread per connection has no
bound on purpose: invocations wait on one another, so that a pool could be full of those who wait.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from functools import cache
from http import HTTPStatus
from io import BytesIO
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from moto.core import responses
from moto.core.utils import method_names_from_class
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import DechunkedInput

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud

Answer: TypeAlias = tuple[str, list[tuple[str, str]], bytes]

LOG: Final = logging.getLogger(__name__)
LOOPBACK: Final = "127.0.0.1"


class Dispatcher(DomainDispatcherApplication):  # type: ignore[misc]
    """moto's choice of the service for a request, remembered by host; `mounts` answer below their paths."""

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        self.get_backend_for_host = cache(super().get_backend_for_host)
        self.mounts: dict[str, Any] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:  # noqa: ANN401
        """Answer below a mount, or as moto does."""
        for prefix, application in self.mounts.items():
            if environ["PATH_INFO"].startswith(prefix):
                return application(environ, start_response)
        return super().__call__(environ, start_response)


class Server(ThreadingTCPServer):
    """Serves moto on a port of the loopback interface, a free one for 0, from `start` to `stop`."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128
    # What werkzeug's request handler reads of its server.
    multithread = True
    multiprocess = False
    ssl_context = None
    _server_version = "Tidegate"

    def __init__(self, port: int = 0) -> None:
        self.app = Dispatcher()
        self._open: set[socket.socket] = set()
        super().__init__((LOOPBACK, port), _Handler)
        self._thread = threading.Thread(target=self.serve_forever, name="tidegate-server", daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOOPBACK}:{self.server_address[1]}"

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer nothing more, and end the connections that clients keep."""
        self.shutdown()
        self._thread.join()
        self.server_close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):  # its client has ended it
                connection.shutdown(socket.SHUT_RDWR)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Serve a connection in its own thread."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401
        """End a connection."""
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Stay silent: a client that went away in the middle of an answer is no fault of the cloud."""


class _Handler(MotoRequestHandler):  # type: ignore[misc]
    """The requests of one connection, one after the other; each body is read before anything is answered."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # without it each answer may wait 40 ms for an acknowledgement

    def run_wsgi(self) -> None:
        if self.headers.get("Expect", "").strip().lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        environ = self.make_environ()
        environ["wsgi.input"] = BytesIO(self._read_body())
        try:
            answer = self._ask(environ)
        except Exception:
            LOG.exception("%s %s failed", self.command, self.path)
            answer = ("500 Internal Server Error", [], b"")
        self._answer(*answer)

    def _ask(self, environ: dict[str, Any]) -> Answer:
        told: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: object = None) -> None:
            told[:] = [status, headers]

        parts = self.server.app(environ, start_response)
        try:
            body = b"".join(parts)
        finally:
            if hasattr(parts, "close"):
                parts.close()
        return told[0], told[1], body

    def _read_body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return DechunkedInput(self.rfile).read()
        size = int(self.headers.get("Content-Length") or 0)
        return bytes(self.rfile.read(size))

    def _answer(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        code = int(status.split(" ", 1)[0])
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
        has_body = code not in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED} and self.command != "HEAD"
        if not any(name.lower() == "content-length" for name, _ in headers) and has_body:
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")
        self.wfile.write(head + body if has_body else head)


def install(cloud: LocalCloud) -> None:
    """Remember the names of a service's operations, which moto gathers anew for each request."""
    cloud.patch(responses, "method_names_from_class", cache(method_names_from_class))
