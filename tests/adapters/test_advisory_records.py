"""OSV records in folders and zips, and an API that speaks like osv.dev's."""

from __future__ import annotations

import io
import json
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.domain.auditing.records import pypi, record
from tidegate.adapters.advisory_records import RecordScanner, list_folder
from tidegate.adapters.osv import AT_ONCE, OsvScanner
from tidegate.domain.errors import InvalidConfiguration, ScannerUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OPEN = {"introduced": "0"}


def zipped(files: dict[str, bytes]) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return body.getvalue()


def body(identity: str, **more: Any) -> bytes:
    return json.dumps(record(OPEN, id=identity, **more)).encode()


def scan(folder: Path, *packages: str):
    return RecordScanner(list_folder(folder), "here").scan(
        [pypi("1.0", one) for one in packages or ("idna",)]
    )


def test_records_are_found_in_folders_and_in_zips_however_deep(tmp_path: Path) -> None:
    (tmp_path / "PyPI").mkdir()
    (tmp_path / "PyPI/A-1.json").write_bytes(body("A-1"))
    (tmp_path / "all.zip").write_bytes(
        zipped({"x/A-2.json": body("A-2"), "more.zip": zipped({"A-3.json": body("A-3")})})
    )
    (tmp_path / "README.md").write_text("not a record")
    found = scan(tmp_path)
    assert [one.id for one in found.findings] == ["A-1", "A-2", "A-3"]
    assert (found.scanner, found.notices) == ("3 records in here", ())
    assert [one.id for one in scan(tmp_path / "all.zip").findings] == ["A-2", "A-3"]
    assert [one.id for one in scan(tmp_path / "PyPI/A-1.json").findings] == ["A-1"]


def test_what_cannot_be_read_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    files = {
        "a.json": b"{",
        "b.json": b"\xff",
        "c.json": b"[]",
        "d.json": b"[" * 100_000,
        "e.zip": b"no zip",
        "f.json": b'{"id": "X", "affected": [{"package": {"ecosystem": "PyPI", "name": "idna"}, "ranges": 7}]}',
        "g.json": body("A-1"),
        "h.yaml": b"id: A-2",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    found = scan(tmp_path)
    assert [one.id for one in found.findings] == ["A-1"]
    (notice,) = found.notices
    assert notice.startswith("7 records that cannot be read: a.json: ")
    assert all(f"{name}: " in notice for name in "b.json c.json d.json e.zip f.json".split())
    assert notice.endswith(" and 1 more")


def test_a_folder_without_records_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match="here holds no readable OSV record"):
        scan(tmp_path)
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(InvalidConfiguration, match=r"record: a\.json"):
        scan(tmp_path)


def test_all_of_an_index_is_read_in_seconds(tmp_path: Path) -> None:
    """20,000 records, as PyPI's export holds; what is kept grows with the findings."""
    padding = "x" * 2000
    export = {
        f"A-{n}.json": body(f"A-{n}", name=f"package-{n % 5000}", details=padding) for n in range(20_000)
    }
    (tmp_path / "all.zip").write_bytes(zipped(export))
    begun = time.process_time()
    found = scan(tmp_path, *(f"package-{n}" for n in range(0, 5000, 100)))
    assert len(found.findings) == 200
    assert time.process_time() - begun < 10


class Api:
    """Knows records by package, and answers in pages of one."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Any]] = {}
        self.status = 200
        self.queries: list[int] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def query(self, asked: dict[str, Any]) -> dict[str, Any]:
        name = asked["package"]["name"]
        ids = sorted(
            one for one, body in self.records.items() if body["affected"][0]["package"]["name"] == name
        )
        page = int(asked.get("page_token", 0))
        more = {"next_page_token": str(page + 1)} if page + 1 < len(ids) else {}
        return {**({"vulns": [{"id": ids[page]}]} if ids else {}), **more}

    def _handler(api) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
                api.queries.append(len(queries))
                self.answer({"results": [api.query(one) for one in queries]})

            def do_GET(self) -> None:
                self.answer(api.records[self.path.rpartition("/")[2]])

            def answer(self, found: Any) -> None:
                content = json.dumps(found).encode()
                self.send_response(api.status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


@pytest.fixture
def api() -> Iterator[Api]:
    found = Api()
    yield found
    found.close()


def test_the_api_is_asked_for_a_thousand_at_once_and_page_by_page(api: Api) -> None:
    api.records = {name: record(OPEN, {"fixed": "2.0"}, id=name) for name in ("A-1", "A-2", "A-3")}
    api.records["B-1"] = record(OPEN, id="B-1", withdrawn="2024-01-01T00:00:00Z")
    api.records["C-1"] = record({"introduced": "9"}, id="C-1", name="package-7")
    packages = [pypi("1.0"), *(pypi("1.0", f"package-{n}") for n in range(AT_ONCE))]
    found = OsvScanner(api.url).scan(packages)
    assert [(one.id, one.fixed) for one in found.findings] == [
        ("A-1", ("2.0",)),
        ("A-2", ("2.0",)),
        ("A-3", ("2.0",)),
        ("C-1", ()),
    ], "the API has decided"
    assert api.queries == [AT_ONCE, 1, 1, 1, 1]


def test_an_api_that_does_not_answer_may_be_asked_again(api: Api) -> None:
    api.status = 503
    with pytest.raises(ScannerUnavailable, match=r"osv\.dev answered /v1/querybatch with 503"):
        OsvScanner(api.url).scan([pypi("1.0")])
    with pytest.raises(ScannerUnavailable, match=r"osv\.dev does not answer"):
        OsvScanner("http://127.0.0.1:1").scan([pypi("1.0")])
