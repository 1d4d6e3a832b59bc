"""A request to a function URL, and its answer, as Lambda passes them.

Source: AWS Lambda Developer Guide, "Invoking Lambda function URLs" (payload format 2.0).
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from pydantic import Field

from tidegate.domain.identity import Frozen

if TYPE_CHECKING:
    from collections.abc import Mapping


class UrlRequest(Frozen):
    """What a caller sent; header names are in lower case, `body` is its exact bytes (None: not base64)."""

    method: str
    headers: dict[str, str]
    body: bytes | None


class UrlAnswer(Frozen):
    """What the caller is told; the names are Lambda's."""

    statusCode: int  # noqa: N815
    headers: dict[str, str] = Field(default_factory=dict)
    body: str = ""


def read_request(event: Mapping[str, Any]) -> UrlRequest:
    """Read a request; whatever is missing is empty, since what anybody may send is no error of ours."""
    context = event.get("requestContext")
    http = context.get("http") if isinstance(context, dict) else None
    method = http.get("method") if isinstance(http, dict) else None
    headers = event.get("headers")
    pairs = headers.items() if isinstance(headers, dict) else ()
    return UrlRequest(
        method=method if isinstance(method, str) else "",
        headers={str(name).lower(): str(value) for name, value in pairs},
        body=_read_body(event.get("body"), encoded=event.get("isBase64Encoded") is True),
    )


def answer(status: int, **told: str) -> UrlAnswer:
    """An answer with a JSON object of texts."""
    body = json.dumps(told, sort_keys=True)
    return UrlAnswer(statusCode=status, headers={"content-type": "application/json"}, body=body)


def _read_body(body: object, *, encoded: bool) -> bytes | None:
    if not isinstance(body, str):
        return b""
    if not encoded:
        return body.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        return None
