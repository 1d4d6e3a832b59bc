"""Answers that AWS gives instead of what was asked for, in the shape of each protocol."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.exceptions import ConnectionClosedError, SSLError
from urllib3.exceptions import ProtocolError

from tests.faults.network import Body, text

if TYPE_CHECKING:
    import random

THROTTLES = {
    "json": ("ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded"),
    "query": ("Throttling", "RequestThrottled"),
    "rest-json": ("TooManyRequestsException",),
    "rest-xml": ("SlowDown",),
    "cbor": ("Throttling",),
}
FAILURES = {
    "json": "InternalServerError",
    "query": "InternalFailure",
    "rest-json": "ServiceException",
    "rest-xml": "InternalError",
    "cbor": "InternalServiceFault",
}


def find_protocol(request: Any) -> str:
    headers = {key.lower(): value for key, value in request.headers.items()}
    if "smithy-protocol" in headers:
        return "cbor"
    if "x-amz-target" in headers:
        return "json"
    content = headers.get("content-type", b"")
    if b"x-www-form-urlencoded" in (content if isinstance(content, bytes) else content.encode()):
        return "query"
    return "rest-json" if "/20" in request.url and "/functions" in request.url else "rest-xml"


def throttle(request: Any, choice: random.Random) -> AWSResponse:
    protocol = find_protocol(request)
    status = {"rest-json": 429, "rest-xml": 503}.get(protocol, 400)
    return make(request, protocol, status, choice.choice(THROTTLES[protocol]))


def fail(request: Any) -> AWSResponse:
    protocol = find_protocol(request)
    return make(request, protocol, 500, FAILURES[protocol])


def refuse(request: Any) -> AWSResponse:
    """What is named unlike any other failure: a handshake, or an entry that PutEvents did not take."""
    if not text(request.headers.get("x-amz-target", "")).endswith(".PutEvents"):
        raise SSLError(endpoint_url=request.url, error="struck by the fault harness")
    entry = {"ErrorCode": "InternalFailure", "ErrorMessage": "struck by the fault harness"}
    body = json.dumps({"FailedEntryCount": 1, "Entries": [entry]}).encode()
    headers = {"x-amzn-requestid": "struck", "content-type": "application/x-amz-json-1.1"}
    return AWSResponse(request.url, 200, HeadersDict(headers), Body(body))


class Torn(Body):
    """A body whose connection ends in its midst: read as a whole it fails as urllib3 does then."""

    def read(self, amount: int | None = None) -> bytes:
        if amount is None or amount < 0:
            message = f"Connection broken after {len(self.getvalue())} bytes"
            raise ProtocolError(message)
        return super().read(amount)

    def stream(self, *_: Any, **__: Any) -> list[bytes]:
        return [self.getvalue()]


def cut(request: Any, answer: AWSResponse) -> AWSResponse:
    """Half of an answer, whose length stands in its header; of one without a body there is none."""
    whole = b"".join(answer.raw.stream())
    if not whole:
        raise ConnectionClosedError(endpoint_url=request.url)
    headers = HeadersDict({**answer.headers, "content-length": str(len(whole))})
    return AWSResponse(answer.url, answer.status_code, headers, Torn(whole[: len(whole) // 2]))


def make(request: Any, protocol: str, status: int, code: str) -> AWSResponse:
    message = "struck by the fault harness"
    headers = {"x-amzn-requestid": "struck"}
    if protocol in {"json", "rest-json"}:
        headers |= {"content-type": "application/json", "x-amzn-errortype": code}
        body = json.dumps({"__type": code, "message": message}).encode()
    elif protocol == "cbor":
        headers |= {"content-type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
        body = bytes([0xA2]) + b"".join(map(_cbor, ("__type", code, "message", message)))
    elif protocol == "query":
        headers["content-type"] = "text/xml"
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        body = f"<ErrorResponse>{error}<RequestId>struck</RequestId></ErrorResponse>".encode()
    else:
        headers["content-type"] = "application/xml"
        body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
        body = b"" if request.method == "HEAD" else body
    return AWSResponse(request.url, status, HeadersDict(headers), Body(body))


def _cbor(text: str) -> bytes:
    """A text of CBOR (RFC 8949, section 3.1, major type 3)."""
    data = text.encode()
    return (bytes([0x60 | len(data)]) if len(data) < 24 else bytes([0x78, len(data)])) + data
