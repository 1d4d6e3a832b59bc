from __future__ import annotations

import io
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ConnectionClosedError
from moto.server import ThreadedMotoServer

from functions.build_function.handler import Request as Build
from functions.build_function.handler import handle as build
from functions.check_out_source.handler import Request as CheckOut
from functions.check_out_source.handler import handle as check_out
from functions.plan_release.audits import tell_imports
from functions.test_function.handler import Request, Response, handle
from functions.test_sandbox.handler import handler as sandbox
from tests.functions.conftest import Pipeline
from tidegate.adapters.documents import release_prefix
from tidegate.adapters.import_checks import Importer
from tidegate.adapters.installs import RegistryUnreachable
from tidegate.adapters.plans import read_snapshot
from tidegate.domain.errors import ImportFailed, ImportsPending, TestsFailed
from tidegate.domain.imports import ImportAnswer, ImportOutcome, ImportRequest
from tidegate.domain.testing import NO_TESTS
from tidegate.local.cloud import reset_backends

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Repository
    from tidegate.domain.identity import Commit

TEMPLATE = """Resources:
  Only:
    Type: AWS::Lambda::Function
    Properties: {Code: src, Handler: app.handler, Runtime: python3.14}
"""
FILES = {"template.yaml": TEMPLATE, "src/app.py": "def handler(event, context): return 1\n"}
# No pytest in the command, so that nothing has to be installed.
OWN = "tests: {command: python check.py, timeout: 20s}\n"


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 60_000


class SandboxClient:
    """Lambda's Invoke, answered by the sandbox in this process, or by an error of the platform."""

    def __init__(self, error: dict[str, str] | None = None) -> None:
        self.error = error
        self.calls: list[dict[str, Any]] = []

    def invoke(self, **call: Any) -> dict[str, Any]:
        self.calls.append(call)
        body = self.error or sandbox(json.loads(call["Payload"]), Context())
        answer = {"Payload": io.BytesIO(json.dumps(body).encode())}
        return {**answer, "FunctionError": "Unhandled"} if self.error else answer


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, aws_environment: None) -> Iterator[Pipeline]:  # noqa: ARG001
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    try:
        yield Pipeline()
    finally:
        server.stop()
        reset_backends()


def prepare(pipeline: Pipeline, repository: Repository, files: dict[str, str | bytes]) -> Commit:
    repository.commit({**FILES, **files})
    commit = pipeline.push(repository)
    shares = check_out(CheckOut(release=pipeline.ref(commit), commit=commit), pipeline.tools).to_build
    for index in range(shares):
        build(Build(release=pipeline.ref(commit), index=index), pipeline.tools)
    return commit


def run(pipeline: Pipeline, commit: Commit, client: SandboxClient | None = None) -> Response:
    pipeline.tools.functions = client or SandboxClient()
    return handle(Request(release=pipeline.ref(commit)), pipeline.tools)


def test_no_tests_are_told_and_only_imports_are_asked_for(served: Pipeline, repository: Repository) -> None:
    commit = prepare(served, repository, {})
    client = SandboxClient()
    assert run(served, commit, client).status == "none"
    assert [json.loads(call["Payload"]).keys() for call in client.calls] == [{"artifacts"}]
    assert served.told(commit)[2].startswith("the service has no tests of its own")
    snapshot = read_snapshot(served.tools.documents, served.ref(commit))
    assert NO_TESTS in snapshot.notes  # and so in the plan


def test_no_tests_end_the_release_where_the_policy_says_so(served: Pipeline, repository: Repository) -> None:
    commit = prepare(served, repository, {"tidegate.yaml": "tests: {missing: fail}\n"})
    with pytest.raises(TestsFailed, match=r"tests\.missing is fail"):
        run(served, commit)


def test_a_report_of_another_tool_names_the_failed_test(served: Pipeline, repository: Repository) -> None:
    own = "tests: {command: 'cp given.xml out.xml; exit 1', report: out.xml}\n"
    report = "<testsuites><testsuite><testcase classname='cart' name='sums'><failure message='3 is not 4'/>"
    given = f"{report}</testcase></testsuite></testsuites>"
    commit = prepare(served, repository, {"tidegate.yaml": own, "given.xml": given})
    with pytest.raises(TestsFailed, match=r"cart::sums failed \(1 failed\): 3 is not 4"):
        run(served, commit)


def test_a_pass_is_kept_with_its_output(served: Pipeline, repository: Repository) -> None:
    script = "import os, app\nprint('ok', sorted(k for k in os.environ if k.startswith('AWS')))\n"
    files = {
        "tidegate.yaml": OWN.replace("python check.py", "cd src && python ../check.py"),
        "check.py": script,
    }
    commit = prepare(served, repository, {**files, "app.py": ""})
    client = SandboxClient()
    assert run(served, commit, client).status == "passed"
    assert client.calls[0]["TenantId"] == f"orders-{commit.id[:12]}-1"
    assert client.calls[0]["FunctionName"] == served.tools.settings.sandbox_function
    output = served.tools.documents.find_bytes(f"{release_prefix(served.ref(commit))}tests/output.txt")
    assert (output or b"").startswith(b"ok")
    assert b"ACCESS_KEY" not in (output or b"")
    assert run(served, commit, client).status == "passed"
    assert len(client.calls) == 2  # the tests, and the handler's import: neither is done again


def test_a_failure_rejects_with_its_reason(served: Pipeline, repository: Repository) -> None:
    files = {"tidegate.yaml": OWN, "check.py": "raise SystemExit('wrong sum')\n"}
    commit = prepare(served, repository, files)
    with pytest.raises(TestsFailed, match=r"`python check\.py` ended with exit code 1: wrong sum"):
        run(served, commit)
    assert "wrong sum" in served.told(commit)[2]


def test_tests_that_never_end_are_killed_with_all_that_they_started(
    served: Pipeline, repository: Repository
) -> None:
    files = {
        "tidegate.yaml": OWN.replace("20s", "1s"),
        "check.py": "import os, time\nprint('begun', flush=True)\nos.fork()\ntime.sleep(60)\n",
    }
    commit = prepare(served, repository, files)
    with pytest.raises(TestsFailed, match="did not end within 1 seconds and was killed"):
        run(served, commit)
    output = served.tools.documents.find_bytes(f"{release_prefix(served.ref(commit))}tests/output.txt")
    assert output == b"begun\n"


def test_endless_output_is_cut_and_the_tests_killed(served: Pipeline, repository: Repository) -> None:
    commit = prepare(served, repository, {"tidegate.yaml": OWN.replace("python check.py", "'yes'")})
    with pytest.raises(TestsFailed, match="printed more than is kept"):
        run(served, commit)
    output = served.tools.documents.find_bytes(f"{release_prefix(served.ref(commit))}tests/output.txt")
    assert len(output or b"") < 1_001_000


@pytest.mark.registry
def test_pytest_runs_with_the_service_s_requirements(served: Pipeline, repository: Repository) -> None:
    files = {
        "src/requirements.txt": "idna\n",
        "tests/unit/test_app.py": (
            "import idna, pytest\nfrom src.app import handler\n\n"
            "@pytest.mark.parametrize('n', [1, 2])\ndef test_app(n):\n    assert handler({}, None) == n\n"
        ),
    }
    commit = prepare(served, repository, files)
    with pytest.raises(TestsFailed, match=r"test_app\[2\] failed \(1 failed, 1 passed\): assert 1 == 2"):
        run(served, commit)
    assert served.tools.documents.exists(f"{release_prefix(served.ref(commit))}tests/report.xml")


@pytest.mark.registry
def test_collecting_no_tests_is_no_pass(served: Pipeline, repository: Repository) -> None:
    commit = prepare(served, repository, {"tests/test_empty.py": ""})
    with pytest.raises(TestsFailed, match="collected no tests"):
        run(served, commit)


@pytest.mark.registry
def test_requirements_that_cannot_be_installed_fail_the_tests(
    served: Pipeline, repository: Repository
) -> None:
    files = {"tests/test_a.py": "", "tests/requirements.txt": "tidegate-has-no-such-package\n"}
    commit = prepare(served, repository, files)
    with pytest.raises(TestsFailed, match=r"cannot be installed: tests/requirements\.txt: "):
        run(served, commit)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            {"errorType": "Sandbox.Timedout", "errorMessage": "RequestId: x Error: Task timed out"},
            "did not end",
        ),
        ({"errorMessage": "2026-01-01T00:00:00Z x Task timed out after 900.00 seconds"}, "did not end"),
        (
            {"errorType": "Runtime.ExitError", "errorMessage": "signal: killed"},
            "ended the sandbox: signal: killed",
        ),
    ],
)
def test_what_tests_do_to_their_environment_is_their_failure(
    error: dict, message: str, served: Pipeline, repository: Repository
) -> None:
    commit = prepare(served, repository, {"tidegate.yaml": OWN, "check.py": ""})
    with pytest.raises(TestsFailed, match=message):
        run(served, commit, SandboxClient(error))


def test_a_fault_of_the_platform_is_no_verdict(served: Pipeline, repository: Repository) -> None:
    commit = prepare(served, repository, {"tidegate.yaml": OWN, "check.py": ""})
    with pytest.raises(RegistryUnreachable):
        run(served, commit, SandboxClient({"errorType": "RegistryUnreachable", "errorMessage": "dns error"}))
    with pytest.raises(ConnectionClosedError, match="GET: URLError: refused"):
        run(
            served,
            commit,
            SandboxClient({"errorType": "ConnectionError", "errorMessage": "GET: URLError: refused"}),
        )
    with pytest.raises(RuntimeError, match="the sandbox failed: KeyError"):
        run(served, commit, SandboxClient({"errorType": "KeyError", "errorMessage": "source"}))
    assert run(served, commit).status == "passed"


CALLS = {
    "an address": ("import urllib.request; urllib.request.urlopen('http://example.com')", "example.com was"),
    "a number": (
        "import socket; socket.create_connection(('169.254.169.254', 80))",
        "169.254.169.254 was called",
    ),
    "another process": (
        "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import socket; socket.create_connection((\"10.1.2.3\", 80))'], check=True)",
        "10.1.2.3 was called",
    ),
    "words of botocore": (
        "raise SystemExit('botocore.exceptions.NoCredentialsError: none')",
        "NoCredentialsError: tests",
    ),
}


@pytest.mark.parametrize(("code", "words"), CALLS.values(), ids=CALLS)
def test_a_test_that_calls_out_fails_at_once_with_a_hint(
    code: str, words: str, served: Pipeline, repository: Repository
) -> None:
    commit = prepare(served, repository, {"tidegate.yaml": OWN, "check.py": code})
    began = time.monotonic()
    with pytest.raises(TestsFailed, match=r"without network and credentials; use a stub") as caught:
        run(served, commit)
    assert words in str(caught.value)
    assert time.monotonic() - began < 15


def test_the_machine_itself_can_be_called(served: Pipeline, repository: Repository) -> None:
    code = (
        "import http.server, threading, urllib.request, socket\n"
        "server = http.server.HTTPServer(('localhost', 0), http.server.SimpleHTTPRequestHandler)\n"
        "threading.Thread(target=server.serve_forever, daemon=True).start()\n"
        "urllib.request.urlopen(f'http://localhost:{server.server_port}').read()\n"
        "a, b = socket.socketpair()\n"
    )
    commit = prepare(served, repository, {"tidegate.yaml": OWN, "check.py": code})
    assert run(served, commit).status == "passed"


BROKEN = {"src/app.py": "import absent\ndef handler(event, context): return 1\n"}


def test_a_handler_that_cannot_be_imported_rejects_also_when_tried_again(
    served: Pipeline, repository: Repository
) -> None:
    commit = prepare(served, repository, BROKEN)
    for _ in range(2):
        with pytest.raises(
            ImportFailed, match=r"Only: app\.handler .* 'absent' \(app\.py:1 of its artifact\)"
        ):
            run(served, commit)
    assert "'absent'" in served.told(commit)[-1]
    # A later commit finds the artifact built, and still does not get through.
    other = prepare(served, repository, {**BROKEN, "README.md": "more"})
    with pytest.raises(ImportFailed):
        run(served, other)


def test_what_was_imported_is_known_to_the_next_release(served: Pipeline, repository: Repository) -> None:
    template = TEMPLATE.replace("Runtime:", "Environment: {Variables: {MODE: fast}}, Runtime:")
    asked = []
    for files in ({}, {"README.md": "more"}, {"template.yaml": template}):
        client = SandboxClient()
        run(served, prepare(served, repository, files), client)
        asked.append(len(client.calls))
    assert asked == [1, 0, 1]  # a variable of the template is part of what an import depends on


def test_an_import_in_want_of_configuration_is_a_warning(served: Pipeline, repository: Repository) -> None:
    code = "import os\nTABLE = os.environ['TABLE']\ndef handler(event, context): return 1\n"
    commit = prepare(served, repository, {"src/app.py": code})
    assert run(served, commit).status == "none"
    (note,) = tell_imports(served.ref(commit), served.tools)
    assert "no verdict, since the template gives it no variable TABLE" in note


def test_imports_that_end_the_sandbox_are_told_and_end_no_release(
    served: Pipeline, repository: Repository
) -> None:
    commit = prepare(served, repository, {})
    run(served, commit, SandboxClient({"errorType": "Runtime.ExitError", "errorMessage": "signal: killed"}))
    assert tell_imports(served.ref(commit), served.tools) == (
        "not checked: Only: the imports ended the sandbox: signal: killed",
    )


class ManyClient:
    """Answers for every handler that it is asked to import."""

    def __init__(self) -> None:
        self.shares: list[int] = []

    def invoke(self, **call: Any) -> dict[str, Any]:
        asked = ImportRequest.model_validate_json(call["Payload"])
        keys = [check.key for target in asked.artifacts for check in target.checks]
        self.shares.append(len(keys))
        answer = ImportAnswer(outcomes=dict.fromkeys(keys[:-1] or keys, ImportOutcome(kind="imported")))
        return {"Payload": io.BytesIO(answer.model_dump_json().encode())}


def test_a_thousand_handlers_are_imported_in_shares_and_invocations(
    served: Pipeline, repository: Repository
) -> None:
    commit = prepare(served, repository, {})
    ref = served.ref(commit)
    snapshot = read_snapshot(served.tools.documents, ref)
    (one,) = snapshot.functions
    many = tuple(
        one.model_copy(update={"logical_id": f"F{n}", "handler": f"m{n}.handler"}) for n in range(1000)
    )
    snapshot = snapshot.model_copy(update={"functions": many})
    client = ManyClient()
    importer = Importer(served.tools.documents, client, "sandbox", ref)
    pending = 0
    while True:
        turns = iter((True, True))
        try:
            report = importer.run(snapshot, lambda turns=turns: next(turns, False))
            break
        except ImportsPending:
            pending += 1
    assert pending >= 2
    assert max(client.shares) == 20
    assert len(client.shares) <= 60
    assert len(report.verdicts) == 1000
