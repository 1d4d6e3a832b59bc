"""Has the sandbox run the service's own tests and import its handlers; the release keeps to the verdicts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from functions.test_function.imports import import_handlers
from tidegate.adapters.documents import release_prefix
from tidegate.adapters.plans import read_snapshot
from tidegate.adapters.testing import test_release
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.domain.testing import NO_TESTS, check, check_missing, find_failure, summarize
from tidegate.task import Tools, task

if TYPE_CHECKING:
    from tidegate.domain.snapshots import Snapshot

# Of the quarter of an hour that an invocation has; the rest is for the imports that are begun last.
LONGEST: Final = timedelta(seconds=400)


class Request(Frozen):
    """The release whose snapshot is tested."""

    release: ReleaseRef


class Response(Frozen):
    """Whether there were tests, and how they went; failed ones leave as TestsFailed."""

    status: Literal["passed", "none"]
    summary: str


def handle(request: Request, tools: Tools) -> Response:
    """Run the tests once, then import the handlers; a second call reads what the first one found.

    ImportsPending leaves where the imports take more than one invocation.
    """
    ref, until = request.release, tools.now() + LONGEST
    snapshot = read_snapshot(tools.documents, ref)
    response = run_tests(ref, snapshot, tools)
    import_handlers(ref, snapshot, tools, lambda: tools.now() < until)
    return response


def run_tests(ref: ReleaseRef, snapshot: Snapshot, tools: Tools) -> Response:
    """Hold the release to the verdict of its tests; without tests the policy decides."""
    tests, prefix = snapshot.tests, release_prefix(ref)
    if tests is None:
        tools.record(ref, "TestFunction", NO_TESTS)
        return Response(status="none", summary=check_missing(snapshot.config.tests.missing))
    result = test_release(tools.documents, tools.functions, tools.settings.sandbox_function, ref, tests)
    failure = find_failure(result, tests.command, tests.timeout)
    evidence = {"output": f"{prefix}tests/output.txt", "result": result.model_dump(exclude={"output_tail"})}
    tools.record(ref, "TestFunction", failure or summarize(result, tests.command), evidence=evidence)
    return Response(status="passed", summary=check(result, tests.command, tests.timeout))


handler = task(Request, handle)
