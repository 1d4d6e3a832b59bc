"""A package index on this machine, for tests: wheels made of literal files, served as a registry would."""

from __future__ import annotations

import base64
import hashlib
import io
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping


def make_wheel(
    name: str, files: Mapping[str, bytes | str], version: str = "1.0", requires: tuple[str, ...] = ()
) -> bytes:
    """A wheel of these files, with the metadata that makes it one."""
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    metadata = {
        f"{name}-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{name}-{version}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{name}-{version}.dist-info/RECORD": "",
    }
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in {**files, **metadata}.items():
            archive.writestr(path, content)
    return body.getvalue()


class PackageIndex:
    """Serves `wheels`, bodies by filename, with the hashes of `promised` where these differ."""

    def __init__(self) -> None:
        self.wheels: dict[str, bytes] = {}
        self.promised: dict[str, str] = {}
        self.status = 200
        self.short_by = 0
        self.credentials = ""
        self.asked: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/simple"

    def file_url(self, filename: str) -> str:
        return self.url.replace("/simple", f"/files/{filename}")

    def add(self, name: str, files: Mapping[str, bytes | str], version: str = "1.0", **more: Any) -> str:
        """Add a wheel; its SHA-256."""
        filename = f"{name}-{version}-py3-none-any.whl"
        self.wheels[filename] = make_wheel(name, files, version, **more)
        return hashlib.sha256(self.wheels[filename]).hexdigest()

    def _page(self, name: str) -> bytes | None:
        found = [one for one in self.wheels if one.split("-")[0].replace("_", "-") == name]
        links = (
            f'<a href="/files/{one}#sha256={self.promised.get(one) or hashlib.sha256(self.wheels[one]).hexdigest()}">'
            f"{one}</a>"
            for one in found
        )
        return "".join(links).encode() if found else None

    def _handler(index) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.asked.append(self.path)
                given = self.headers.get("Authorization", "")
                if (
                    index.credentials
                    and given != f"Basic {base64.b64encode(index.credentials.encode()).decode()}"
                ):
                    self.answer(401, b"")
                    return
                _, kind, name, *_ = self.path.split("/")
                body = index._page(name) if kind == "simple" else index.wheels.get(name)
                status = index.status if body is not None and kind == "files" else 200 if body else 404
                self.answer(status, body or b"", index.short_by if kind == "files" else 0)

            def do_HEAD(self) -> None:
                self.do_GET()

            def answer(self, status: int, body: bytes, short_by: int = 0) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "text/html" if "simple" in self.path else "application/zip")
                self.send_header("Content-Length", str(len(body)))
                if status == 401:
                    self.send_header("WWW-Authenticate", 'Basic realm="index"')
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body[: len(body) - short_by])

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler
