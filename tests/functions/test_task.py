"""What every handler shares: the event is checked, and a failed call has one name for the state machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
import urllib3
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    ParamValidationError,
    ResponseStreamingError,
    SSLError,
)
from pydantic import ValidationError

from tidegate.domain.errors import NoSpaceLeft
from tidegate.domain.identity import Frozen
from tidegate.settings import load
from tidegate.task import keep_tools, task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.task import Tools


class Request(Frozen):
    code: str


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    yield
    keep_tools.cache_clear()
    load.cache_clear()


def fail(request: Request, _tools: Tools) -> Request:
    client = boto3.client("lambda", region_name="us-east-1")
    found = client.exceptions.from_code(request.code)
    raise found({"Error": {"Code": request.code, "Message": "slow down"}}, "GetAlias")


@pytest.mark.parametrize("code", ["TooManyRequestsException", "ServiceException", "AccessDenied"])
def test_whatever_class_a_failed_call_has_the_machine_is_told_one(code: str) -> None:
    with pytest.raises(ClientError, match="slow down") as caught:
        task(Request, fail)({"code": code}, None)
    assert type(caught.value) is ClientError
    assert caught.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(
    "error",
    [
        IncompleteReadError(actual_bytes=1, expected_bytes=2),
        ResponseStreamingError(error="cut"),
        SSLError(endpoint_url="https://s3", error="EOF"),
        HTTPClientError(error="reset"),
        urllib3.exceptions.SSLError("EOF occurred in violation of protocol"),
        CredentialRetrievalError(provider="container-role", error_msg="no answer"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_else_keeps_a_call_from_its_answer_has_one_name(error: Exception) -> None:
    def break_off(_request: Request, _tools: Tools) -> Request:
        raise error

    with pytest.raises(ConnectionClosedError, match=f"{type(error).__name__}: ") as caught:
        task(Request, break_off)({"code": ""}, None)
    assert type(caught.value) is ConnectionClosedError


def test_a_call_that_is_made_wrongly_is_not_tried_again() -> None:
    def mistake(_request: Request, _tools: Tools) -> Request:
        boto3.client("lambda", region_name="us-east-1").get_alias(FunctionName="f")
        raise AssertionError

    with pytest.raises(ParamValidationError, match="Name"):
        task(Request, mistake)({"code": ""}, None)


def test_an_event_of_another_shape_is_refused() -> None:
    with pytest.raises(ValidationError, match="code"):
        task(Request, fail)({"cod": "x"}, None)


def test_a_full_disk_is_named_with_what_can_be_done() -> None:
    def fill(request: Request, _tools: Tools) -> Request:
        Path(request.code).write_bytes(b"more")
        return request

    with pytest.raises(NoSpaceLeft, match="is full; its size is `scratch`"):
        task(Request, fill)({"code": "/dev/full"}, None)
    with pytest.raises(FileNotFoundError):
        task(Request, fill)({"code": "/nowhere/file"}, None)
