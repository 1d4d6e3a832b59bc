"""Function URLs answer, at paths of the local cloud's own address instead of hosts of their own.

A request becomes an event of payload format 2.0, the function's result an HTTP answer; both are the URL's
affair, the invocation is `functions`'. Only URLs that are open to anybody are served: signatures are not
checked here, so one that asks for them is refused by name.
https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

import base64
import binascii
import json
import time
import uuid
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.models import FunctionUrlConfig, lambda_backends

from tidegate.local import functions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tidegate.local.cloud import LocalCloud

Environ = dict[str, Any]
PREFIX: Final = "/function-urls/"
MOST_BYTES: Final = 6_291_456
TEXT: Final = ("text/", "application/json", "application/javascript", "application/xml")


def install(cloud: LocalCloud) -> None:
    """Give URLs the cloud's address, and answer there."""
    make = FunctionUrlConfig.__init__

    def place(self: Any, *args: Any, **named: Any) -> None:  # noqa: ANN401
        make(self, *args, **named)
        self.url = f"{cloud.endpoint_url}{PREFIX}{uuid.uuid4().hex}/"

    cloud.patch(FunctionUrlConfig, "__init__", place)
    cloud.server.app.mounts[PREFIX] = serve


def serve(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """A WSGI application: the answer of the function that a URL stands for."""
    status, headers, body = _answer(environ)
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Unknown"
    start_response(f"{status} {phrase}", list(headers.items()))
    return [body]


def _answer(environ: Environ) -> tuple[int, dict[str, str], bytes]:
    name, _, path = environ["PATH_INFO"].removeprefix(PREFIX).partition("/")
    config = _find(name)
    if config is None:
        return _say(HTTPStatus.FORBIDDEN, "there is no such function URL")
    if config.config.get("AuthType") != "NONE":
        return _say(HTTPStatus.FORBIDDEN, "the local cloud serves function URLs with AuthType NONE only")
    body = environ["wsgi.input"].read()
    if len(body) > MOST_BYTES:
        return _say(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Request must be smaller than 6291456 bytes")
    event = json.dumps(write_event(environ, f"/{path}", body)).encode()
    try:
        answer = functions.invoke(config.function.function_arn, event)
    except LambdaClientError as error:
        return _say(HTTPStatus(getattr(error, "code", 500)), str(error))
    if answer.function_error:
        return _say(HTTPStatus.BAD_GATEWAY, "Internal Server Error")
    return read_answer(json.loads(answer.payload or b"null"))


def write_event(environ: Environ, path: str, body: bytes) -> dict[str, Any]:
    """The event of a request, format 2.0; what is not text is base64, as its Content-Type says."""
    headers = _headers(environ)
    query = environ.get("QUERY_STRING", "")
    now = time.time()
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous",
            "http": {
                "method": environ["REQUEST_METHOD"],
                "path": path,
                "protocol": environ.get("SERVER_PROTOCOL", "HTTP/1.1"),
                "sourceIp": environ.get("REMOTE_ADDR", ""),
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": "$default",
            "stage": "$default",
            "time": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
    if query:
        event["queryStringParameters"] = dict(parse_qsl(query, keep_blank_values=True))
    return {**event, **_write_body(headers, body)} if body else event


def read_answer(result: Any) -> tuple[int, dict[str, str], bytes]:  # noqa: ANN401
    """The HTTP answer of a function's result; a result without a status is itself the body."""
    if not isinstance(result, dict) or "statusCode" not in result:
        return 200, {"Content-Type": "application/json"}, json.dumps(result).encode()
    headers = {str(name): str(value) for name, value in (result.get("headers") or {}).items()}
    if not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = "application/json"
    body = str(result.get("body") or "").encode()
    if result.get("isBase64Encoded"):
        try:
            body = base64.b64decode(body, validate=True)
        except binascii.Error:
            return _say(HTTPStatus.BAD_GATEWAY, "Internal Server Error")
    return int(result["statusCode"]), headers, body


def _find(name: str) -> Any:  # noqa: ANN401
    for regions in list(lambda_backends.values()):
        for backend in list(regions.values()):
            for function in backend.list_functions():
                config = function.url_config
                if config is not None and config.url.endswith(f"{PREFIX}{name}/"):
                    return config
    return None


def _headers(environ: Environ) -> dict[str, str]:
    headers = {
        key.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
        for key, value in environ.items()
        if key.startswith("HTTP_")
    }
    plain = {"content-type": environ.get("CONTENT_TYPE"), "content-length": environ.get("CONTENT_LENGTH")}
    return headers | {name: str(value) for name, value in plain.items() if value}


def _write_body(headers: dict[str, str], body: bytes) -> dict[str, Any]:
    if headers.get("content-type", "").startswith(TEXT):
        try:
            return {"body": body.decode(), "isBase64Encoded": False}
        except UnicodeDecodeError:
            pass
    return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def _say(status: HTTPStatus, message: str) -> tuple[int, dict[str, str], bytes]:
    return int(status), {"Content-Type": "application/json"}, json.dumps({"Message": message}).encode()
