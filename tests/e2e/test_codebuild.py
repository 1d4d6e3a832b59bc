"""What Tidegate cannot build itself is built at CodeBuild, from the push to the live alias."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.test_releases import OPEN
from tests.pipelines.faults import Fault
from tests.pipelines.services import compress
from tidegate.domain.ledger import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.pipelines.services import Service
    from tidegate.cli.push import Pushed

# The calls of AwaitBuilds: claim, snapshot, token (read, kept), record, order, input, order kept, StartBuild.
START_BUILD = 9
# The share comes back once: BuildFunction, the wait, BuildFunction again.
BUILT = [*OPEN[:5], "AwaitBuilds", "BuildFunction", *OPEN[5:]]
BACKEND = """import base64, hashlib, os, zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
        archive.writestr("tiny.py", 'WORD = "out of sources"')
        archive.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n")
        archive.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr("tiny-1.0.dist-info/RECORD", "")
    return name
"""
PROJECT = """[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "tiny"
version = "1.0"
"""
LOCK = """lock-version = "1.0"
created-by = "a test"
[[packages]]
name = "tiny"
version = "1.0"
sdist = {{url = "{url}/tiny-1.0.tar.gz", hashes = {{sha256 = "{sha256}"}}}}
"""
HANDLER = """def handler(event, context):
    import tiny
    return {{"statusCode": 200, "body": "{answer} " + tiny.WORD}}
"""
MADE = """def handler(event, context):
    return {"statusCode": 200, "body": open(__file__.replace("app.py", "made.txt")).read()}
"""


def make_sdist() -> bytes:
    """A source distribution with a build backend of its own, so that nothing else is needed to build it."""
    body = io.BytesIO()
    with (
        gzip.GzipFile("", "wb", 6, body, mtime=0) as packed,
        tarfile.open(mode="w", fileobj=packed) as archive,
    ):
        files = {
            "pyproject.toml": PROJECT,
            "backend.py": BACKEND,
            "PKG-INFO": "Metadata-Version: 2.1\nName: tiny\n",
        }
        for name, text in files.items():
            info = tarfile.TarInfo(f"tiny-1.0/{name}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return body.getvalue()


class Sources:
    """Serves one source distribution, and counts who asks."""

    def __init__(self) -> None:
        self.body = make_sdist()
        self.asked = 0
        sources = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                sources.asked += 1
                self.send_response(200)
                self.send_header("Content-Length", str(len(sources.body)))
                self.end_headers()
                self.wfile.write(sources.body)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def lock(self) -> str:
        url = f"http://127.0.0.1:{self._server.server_port}"
        return LOCK.format(url=url, sha256=hashlib.sha256(self.body).hexdigest())

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def sources() -> Iterator[Sources]:
    serving = Sources()
    yield serving
    serving.close()


def function(folder: str, **metadata: Any) -> dict[str, Any]:
    properties = {"CodeUri": folder, "Handler": "app.handler", "Runtime": "python3.13", "Timeout": 10}
    return {"Type": "AWS::Serverless::Function", "Properties": properties, "Metadata": metadata}


def commit(service: Service, sources: Sources, recipe: str, answer: str) -> None:
    """A function by a Makefile, and one with a dependency that has no wheel."""
    resources = {"Made": function("made/", BuildMethod="makefile"), "Front": function("front/")}
    service.code = {}
    service.commit(
        {
            "template.yaml": json.dumps({"Transform": "AWS::Serverless-2016-10-31", "Resources": resources}),
            "made/Makefile": f"build-Made:\n{recipe}",
            "made/app.py": MADE,
            "front/app.py": HANDLER.format(answer=answer),
            "front/pylock.toml": sources.lock,
        }
    )


GOOD = "\tcp app.py $(ARTIFACTS_DIR)\n\tprintf made > $(ARTIFACTS_DIR)/made.txt\n"


def builds(service: Service, pushed: Pushed) -> list[str]:
    return [entry.what for entry in service.entries(pushed) if entry.step == "AwaitBuilds"]


@pytest.fixture
def built(made: Service) -> Iterator[Service]:
    yield made
    made.cloud.order()


@pytest.fixture(scope="module")
def made(pipeline_cloud: Any, tmp_path_factory: pytest.TempPathFactory, sources: Sources) -> Service:
    """A service that is live in both stages, made at CodeBuild."""
    from tests.pipelines.services import Service

    service = Service(pipeline_cloud, tmp_path_factory.mktemp("built"), ("Front",))
    commit(service, sources, GOOD, f"{service.name}-1")
    pushed = service.release()
    assert service.outcome(pushed) is Outcome.PROMOTED, service.tell(pushed)
    assert compress(service.path(pushed)).count("AwaitBuilds") == 2, service.tell(pushed)
    assert len(builds(service, pushed)) == 2
    return service


def test_what_codebuild_made_is_live(built: Service, sources: Sources) -> None:
    assert set(built.ask()) == {f"{built.name}-1 out of sources", "made"}
    assert sources.asked


def test_an_unchanged_release_builds_nothing(built: Service, sources: Sources) -> None:
    commit(built, sources, GOOD, f"{built.name}-1")
    built.repository.commit({"README.md": "more"})
    pushed = built.release()
    assert built.outcome(pushed) is Outcome.PROMOTED, built.tell(pushed)
    assert builds(built, pushed) == []
    way = compress(built.path(pushed))
    assert "BuildFunction" not in way
    assert way[:4] == OPEN[:4]


def test_a_makefile_that_fails_ends_the_release_by_name(built: Service, sources: Sources) -> None:
    recipe = "\techo made something\n\techo 'app.c:3: no such type' && exit 3\n"
    commit(built, sources, recipe, f"{built.name}-1")
    pushed = built.release()
    built.check_rejected(pushed, "BuildFunction", "BuildFailed", "app.c:3: no such type")
    record = built.record(pushed)
    assert record is not None
    assert record.reason.startswith("BuildFunction: BuildFailed: Made: the build failed in BUILD: ")
    assert "made something" in record.reason
    assert "its log: https://" in record.reason
    assert set(built.ask()) == {f"{built.name}-1 out of sources", "made"}
    way = [*OPEN[:5], "AwaitBuilds", "BuildFunction", "RestoreTraffic", "UndoRelease", "VerifyRecovery"]
    assert compress(built.path(pushed))[: len(way)] == way


def test_a_death_after_the_start_and_a_repeated_event_build_once(built: Service, sources: Sources) -> None:
    """AwaitBuilds dies once StartBuild has been called; the event's receiver dies before it can answer."""
    built.order(
        Fault("tidegate-await-builds", "call", calls=START_BUILD),
        Fault("tidegate-resume-release", "end", words=["SUCCEEDED"]),
    )
    commit(built, sources, GOOD + "\ttrue\n", f"{built.name}-1")
    pushed = built.release()
    assert built.outcome(pushed) is Outcome.PROMOTED, built.tell(pushed)
    assert len(builds(built, pushed)) == 1, built.tell(pushed)
    assert built.cloud.struck()[0] == 1
    assert set(built.ask()) == {f"{built.name}-1 out of sources", "made"}


def test_a_release_that_is_stopped_stops_its_build(built: Service, sources: Sources) -> None:
    commit(built, sources, "\tsleep 100\n", f"{built.name}-1")
    pushed = built.push()
    built.await_entry(pushed, "AwaitBuilds")
    built.pipeline.machines.stop_execution(executionArn=built.arn(pushed), error="Stopped", cause="by hand")
    built.await_end(pushed)
    assert built.outcome(pushed) is Outcome.REJECTED, built.tell(pushed)
    said = [entry.what for entry in built.entries(pushed) if entry.step == "UndoRelease"]
    assert any(what.startswith("stopped the build tidegate-builds:") for what in said), built.tell(pushed)


@pytest.mark.registry
def test_requirements_that_only_a_build_resolves(built: Service) -> None:
    """A released package of the registry that has no wheel, by texts without hashes."""
    code = "import docopt\ndef handler(event, context):\n    return {'statusCode': 200, 'body': docopt.__version__}\n"
    resources = {"Front": function("front/")}
    built.code = {}
    built.config["stages"]["production"] = {"strategy": "AllAtOnce", "bake": "0s"}
    built.commit(
        {
            "template.yaml": json.dumps({"Transform": "AWS::Serverless-2016-10-31", "Resources": resources}),
            "front/app.py": code,
            "front/requirements.txt": "docopt==0.6.2\n",
        }
    )
    pushed = built.release()
    assert built.outcome(pushed) is Outcome.PROMOTED, built.tell(pushed)
    assert len(builds(built, pushed)) == 1
    assert built.ask() == ["0.6.2"]
