"""Function URLs: what the function is given, and what its caller is answered."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.scene import zipped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.local.cloud import LocalCloud

CODE = """
import json

def handler(event, context):
    asked = json.loads(event["headers"].get("x-do", "null"))
    if asked == "fail":
        raise ValueError("no luck")
    return asked or event
"""


@pytest.fixture(scope="module")
def url(cloud: LocalCloud) -> Iterator[str]:
    cloud.client("iam").create_role(RoleName="url", AssumeRolePolicyDocument="{}")
    cloud.client("lambda").create_function(
        FunctionName="behind-url",
        Runtime="python3.13",
        Role="arn:aws:iam::123456789012:role/url",
        Handler="index.handler",
        Code={"ZipFile": zipped(index=CODE)},
    )
    made = cloud.client("lambda").create_function_url_config(FunctionName="behind-url", AuthType="NONE")
    yield made["FunctionUrl"]
    cloud.client("lambda").delete_function(FunctionName="behind-url")


def ask(url: str, body: bytes | None = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data=body, headers=named)  # noqa: S310
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def event_of(url: str, body: bytes | None = None, **headers: str) -> dict[str, Any]:
    status, _, answer = ask(url, body, **headers)
    assert status == 200, answer
    found: dict[str, Any] = json.loads(answer)
    return found


def test_a_request_is_an_event_of_format_2(url: str) -> None:
    event = event_of(f"{url}a/b?x=1&y=%2F", b'{"a": "\xc3\xa9"}', Content_Type="application/json")
    assert (event["version"], event["rawPath"], event["rawQueryString"]) == ("2.0", "/a/b", "x=1&y=%2F")
    assert event["queryStringParameters"] == {"x": "1", "y": "/"}
    assert (event["body"], event["isBase64Encoded"]) == ('{"a": "é"}', False)
    http = event["requestContext"]["http"]
    assert (http["method"], http["path"], http["sourceIp"]) == ("POST", "/a/b", "127.0.0.1")
    assert event["headers"]["content-type"] == "application/json"


def test_bytes_come_as_they_were_sent(url: str) -> None:
    event = event_of(url, b"\xff\x00", Content_Type="application/octet-stream")
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == b"\xff\x00"


def test_a_get_has_no_body(url: str) -> None:
    event = event_of(url)
    assert "body" not in event
    assert event["requestContext"]["http"]["method"] == "GET"


def test_the_function_says_status_headers_and_body(url: str) -> None:
    wanted = {"statusCode": 413, "headers": {"X-Said": "so"}, "body": "too large"}
    status, headers, body = ask(url, x_do=json.dumps(wanted))
    assert (status, headers["X-Said"], body) == (413, "so", b"too large")
    encoded = {"statusCode": 200, "body": base64.b64encode(b"\xff").decode(), "isBase64Encoded": True}
    assert ask(url, x_do=json.dumps(encoded))[2] == b"\xff"


def test_a_function_that_fails_is_a_bad_gateway(url: str) -> None:
    assert ask(url, x_do='"fail"')[0] == 502


def test_what_is_too_large_never_reaches_the_function(url: str) -> None:
    assert ask(url, b"x" * 6_291_457)[0] == 413


def test_a_url_that_asks_for_signatures_or_is_none_is_refused(cloud: LocalCloud, url: str) -> None:
    assert ask(f"{cloud.endpoint_url}/function-urls/nothing/")[0] == 403
    api = cloud.client("lambda")
    api.update_function_url_config(FunctionName="behind-url", AuthType="AWS_IAM")
    try:
        status, _, body = ask(url)
        assert (status, b"AuthType NONE only" in body) == (403, True)
    finally:
        api.update_function_url_config(FunctionName="behind-url", AuthType="NONE")
