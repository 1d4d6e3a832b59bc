"""Answers of AWS that never came whole, told apart from those that did, and under one name.

botocore does not compare what it has read with the length that was announced, and of JSON that ends in the
midst it makes an answer without members: what exists would read as absent. This module does not call AWS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from botocore.exceptions import (
    ChecksumError,
    ConnectionClosedError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
)
from botocore.exceptions import ConnectionError as Unreachable
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from botocore.model import OperationModel

ClientT = TypeVar("ClientT", bound="BaseClient")
# No answer, or a part of one. A streamed body ends in any of several, TLS's errors as urllib3 has them.
UNANSWERED: Final = (
    Unreachable,
    HTTPClientError,
    IncompleteReadError,
    ChecksumError,
    FlexibleChecksumError,
    ResponseParserError,
    HTTPError,
)
BODILESS: Final = frozenset({204, 304})


def close(error: Exception) -> ConnectionClosedError:
    """An error of a call without an answer under the name that is tried again, with its own words."""
    return _closed(f"{type(error).__name__}: {error}")


def check_answers(client: ClientT) -> ClientT:
    """Let a client refuse an answer that is shorter than it says, by ConnectionClosedError; gives the client.

    A streamed body checks its length itself when it is read.
    """
    client.meta.events.register("before-parse", _check, unique_id="tidegate-answers")
    return client


def _check(operation_model: OperationModel, response_dict: dict[str, Any], **_: object) -> None:
    body, length = response_dict["body"], response_dict["headers"].get("content-length")
    if not isinstance(body, bytes) or length is None or response_dict["status_code"] in BODILESS:
        return
    if operation_model.http.get("method") != "HEAD" and len(body) < int(length):
        message = f"{len(body)} of {length} bytes of the answer to {operation_model.name} have come"
        raise _closed(message)


def _closed(why: str) -> ConnectionClosedError:
    error = ConnectionClosedError(endpoint_url="")
    error.args = (why,)
    return error
