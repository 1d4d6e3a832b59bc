"""Where what is sent to GitHub goes when it answers that something lies elsewhere."""

from __future__ import annotations

from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from tidegate.adapters.github import Api, make_pool
from tidegate.domain.errors import HostRefused

if TYPE_CHECKING:
    from collections.abc import Iterator


class Server(ThreadingHTTPServer):
    """Redirects what is asked for under /old to `place`, and keeps what else it is sent."""

    place = "/new"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[tuple[str, str, str | None, bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_PATCH(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        moved = self.path.startswith("/old")
        if not moved:
            self.server.got.append((self.command, self.path, self.headers.get("authorization"), body))
        self.send_response(307 if moved else 200)
        if moved:
            self.send_header("location", self.server.place)
        self.send_header("content-length", "0")
        self.end_headers()

    do_GET = do_POST = do_PATCH  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextmanager
def serve() -> Iterator[Server]:
    with Server() as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_a_renamed_repository_is_found_with_all_that_is_sent(method: str) -> None:
    with serve() as server:
        Api(server.url, make_pool()).ask(method, "/old", "token", {"secret": "s"})
        assert server.got == [(method, "/new", "Bearer token", b'{"secret": "s"}')]


def test_nothing_is_sent_to_another_host() -> None:
    with serve() as server, serve() as stranger:
        server.place = f"{stranger.url}/new"
        with pytest.raises(HostRefused, match=r"GitHub redirects PATCH /old to 127.0.0.1:.*not followed"):
            Api(server.url, make_pool()).ask("PATCH", "/old", "token", {"secret": "s"})
        assert stranger.got == []


def test_a_circle_ends() -> None:
    with serve() as server:
        server.place = "/old"
        with pytest.raises(HostRefused, match="not followed"):
            Api(server.url, make_pool()).ask("GET", "/old", "token")
