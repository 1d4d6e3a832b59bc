"""A mirror of the Python Package Index on the loopback interface: builders are measured, and no network.

It asks the index for a page or a file that it has not, and gives everybody the same bytes from then on.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from urllib3 import PoolManager

if TYPE_CHECKING:
    from types import TracebackType

INDEX: Final = "https://pypi.org/simple/"
FILES: Final = "https://files.pythonhosted.org/"
KEPT: Final = ("Content-Type", "Cache-Control", "ETag")


class Page(NamedTuple):
    """What the index has answered."""

    status: int
    headers: dict[str, str]
    body: bytes


class Mirror:
    """The mirror, as a context manager; `index` is its address."""

    def __init__(self) -> None:
        self._pool = PoolManager(maxsize=20)
        self._pages: dict[tuple[str, str], Page] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.mirror = self  # type: ignore[attr-defined]
        self._base = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.index = f"{self._base}/simple/"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def page(self, path: str, accept: str) -> Page:
        """What the index says to a path; the addresses of files lead to this mirror."""
        found = self._pages.get((path, accept))
        if found is None:
            found = self._pages[path, accept] = self._ask(path, accept)
        return found

    def _ask(self, path: str, accept: str) -> Page:
        if path.startswith("/simple/"):
            url = INDEX + path.removeprefix("/simple/")
        else:
            url = FILES + path.removeprefix("/files/")
        answer = self._pool.request("GET", url, headers={"Accept": accept})
        body = answer.data.replace(FILES.encode(), f"{self._base}/files/".encode())
        headers = {name: answer.headers[name] for name in KEPT if name in answer.headers}
        return Page(answer.status, headers, body if path.startswith("/simple/") else answer.data)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer(send_body=True)

    def do_HEAD(self) -> None:
        self._answer(send_body=False)

    def _answer(self, *, send_body: bool) -> None:
        mirror: Mirror = self.server.mirror  # type: ignore[attr-defined]
        page = mirror.page(self.path, self.headers.get("Accept", "*/*"))
        self.send_response(HTTPStatus(page.status))
        for name, value in page.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(page.body)))
        self.end_headers()
        if send_body:
            with suppress(ConnectionError):  # whoever has what it wanted of a file may go
                self.wfile.write(page.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: the benchmark's table is all that is printed."""
