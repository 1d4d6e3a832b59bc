"""Answers cut short by a real server: what is streamed and what is not, and no answer at all."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError

from tidegate.adapters.answers import UNANSWERED, check_answers, close
from tidegate.adapters.documents import Documents
from tidegate.adapters.sandbox import download

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHOLE = json.dumps({"FunctionVersion": "7", "Name": "live", "Padding": "x" * 300}).encode()
ONCE = Config(retries={"mode": "standard", "max_attempts": 1})


class Handler(BaseHTTPRequestHandler):
    """Announces the whole body, and sends so many bytes of it."""

    sent = len(WHOLE)

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(WHOLE)))
        self.send_header("ETag", '"whole"')
        self.end_headers()
        self.wfile.write(WHOLE[: self.sent])

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(WHOLE)))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[tuple[str, type[Handler]]]:
    class Own(Handler):
        pass

    serving = ThreadingHTTPServer(("127.0.0.1", 0), Own)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{serving.server_port}", Own
    serving.shutdown()
    serving.server_close()


def connect(service: Any, url: str) -> Any:
    client = boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="nobody",
        aws_secret_access_key="nobody",
        config=ONCE,
    )
    return check_answers(client)


def test_an_answer_is_whole_or_none(server: tuple[str, type[Handler]]) -> None:
    url, handler = server
    client = connect("lambda", url)
    assert client.get_alias(FunctionName="f", Name="live")["FunctionVersion"] == "7"
    for handler.sent in (0, 20, len(WHOLE) - 1):
        with pytest.raises(ConnectionClosedError, match=f"{handler.sent} of {len(WHOLE)} bytes.*GetAlias"):
            client.get_alias(FunctionName="f", Name="live")


def test_an_answer_without_a_body_has_the_length_of_what_it_tells_of(
    server: tuple[str, type[Handler]],
) -> None:
    assert Documents(connect("s3", server[0]), "bucket").size("key") == len(WHOLE)


def test_a_streamed_body_that_is_cut_short_leaves_under_the_name_that_is_tried_again(
    server: tuple[str, type[Handler]], tmp_path: Path
) -> None:
    url, handler = server
    documents = Documents(connect("s3", url), "bucket")
    documents.download("key", tmp_path / "file")
    assert documents.find_bytes("key") == (tmp_path / "file").read_bytes() == WHOLE
    handler.sent = 20
    names = set()
    for read in (lambda: documents.find_bytes("key"), lambda: documents.download("key", tmp_path / "file")):
        with pytest.raises(UNANSWERED) as caught:
            read()
        names.add(type(caught.value).__name__)
        assert type(close(caught.value)) is ConnectionClosedError
        assert str(close(caught.value)).startswith(type(caught.value).__name__)
    assert names == {"IncompleteReadError", "ResponseStreamingError"}


def test_no_answer_is_one_of_them() -> None:
    with pytest.raises(UNANSWERED):
        connect("lambda", "http://127.0.0.1:9").get_alias(FunctionName="f", Name="live")


def test_the_sandbox_takes_no_part_of_a_source(server: tuple[str, type[Handler]], tmp_path: Path) -> None:
    url, handler = server
    download(url, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == WHOLE
    handler.sent = 20
    with pytest.raises(ConnectionError, match=f"20 of {len(WHOLE)} bytes"):
        download(url, tmp_path / "file")
    with pytest.raises(ConnectionError, match="URLError"):
        download("http://127.0.0.1:9", tmp_path / "file")
