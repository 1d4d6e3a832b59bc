"""The way from a signed request to the cloud without a socket: most of a run would be spent in them.

It is botocore's HTTP session that is replaced; a request and its answer are what they are on the wire.
"""

from __future__ import annotations

import logging
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from botocore import httpsession
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud

LOG = logging.getLogger(__name__)


class Body(BytesIO):
    """What urllib3 gives for a body, as far as botocore looks."""

    def stream(self, *_: Any, **__: Any) -> list[bytes]:
        return [self.read()]


def text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def read_body(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    return bytes(body) if isinstance(body, (bytes, bytearray)) else body.read()


def make_environ(request: Any, body: bytes) -> dict[str, Any]:
    """The request as a WSGI server would give it (PEP 3333)."""
    url = urlsplit(request.url)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(url.path, "latin-1") or "/",
        "REQUEST_URI": url.path + (f"?{url.query}" if url.query else ""),
        "RAW_URI": url.path + (f"?{url.query}" if url.query else ""),
        "QUERY_STRING": url.query,
        "SERVER_NAME": url.hostname,
        "SERVER_PORT": str(url.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": url.netloc,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": BytesIO(body),
        "wsgi.errors": BytesIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = text(value)
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ["CONTENT_LENGTH"] = str(len(body))
    return environ


def install(cloud: LocalCloud) -> None:
    """Hand the requests of this process to the cloud's application."""
    original = httpsession.URLLib3Session.send

    def send(session: Any, request: Any) -> Any:
        if not request.url.startswith(cloud.endpoint_url):
            return original(session, request)
        told: list[Any] = []
        try:
            parts = cloud._server.app(
                make_environ(request, read_body(request.body)),
                lambda status, headers, _=None: told.extend((status, headers)),
            )
            content = b"".join(parts)
        except Exception:
            LOG.exception("%s %s failed", request.method, request.url)
            told, content = ["500 Internal Server Error", []], b""
        status = int(told[0].split(" ", 1)[0])
        return AWSResponse(request.url, status, HeadersDict(told[1]), Body(content))

    cloud.patch(httpsession.URLLib3Session, "send", send)


def copy_request(request: Any) -> Any:
    """The request with its body read: who made it may close the file meanwhile."""
    body = read_body(request.body)
    request.reset_stream()
    return AWSPreparedRequest(
        request.method, request.url, request.headers, body, stream_output=request.stream_output
    )
