"""Has the sandbox run the service's own tests, and holds the release to their verdict."""

from __future__ import annotations

from typing import Literal

from tidegate.adapters.documents import release_prefix
from tidegate.adapters.testing import test_release
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.domain.snapshots import Snapshot
from tidegate.domain.testing import NO_TESTS, check, check_missing, find_failure, summarize
from tidegate.task import Tools, task


class Request(Frozen):
    """The release whose snapshot is tested."""

    release: ReleaseRef


class Response(Frozen):
    """Whether there were tests, and how they went; failed ones leave as TestsFailed."""

    status: Literal["passed", "none"]
    summary: str


def handle(request: Request, tools: Tools) -> Response:
    """Run the tests once; a second call reads what the first one found."""
    ref, prefix = request.release, release_prefix(request.release)
    snapshot = tools.documents.read(f"{prefix}snapshot.json", Snapshot)
    tests = snapshot.tests
    if tests is None:
        tools.record(ref, "TestFunction", NO_TESTS)
        return Response(status="none", summary=check_missing(snapshot.config.tests.missing))
    result = test_release(tools.documents, tools.functions, tools.settings.sandbox_function, ref, tests)
    failure = find_failure(result, tests.command, tests.timeout)
    evidence = {"output": f"{prefix}tests/output.txt", "result": result.model_dump(exclude={"output_tail"})}
    tools.record(ref, "TestFunction", failure or summarize(result, tests.command), evidence=evidence)
    return Response(status="passed", summary=check(result, tests.command, tests.timeout))


handler = task(Request, handle)
