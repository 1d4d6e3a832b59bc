"""What the sandbox is asked, what it answers, and what the answer means for the release.

The answer comes from an environment in which foreign code has run: it counts for its own release only, and
nothing in it is trusted further than that.
"""

from __future__ import annotations

import re

from pydantic import Field

from tidegate.domain.config import OnMissingTests
from tidegate.domain.errors import TestsFailed
from tidegate.domain.identity import Frozen, ReleaseRef
from tidegate.domain.wording import plain

NO_TESTS_COLLECTED = 5
UNITTEST_RAN_NONE = re.compile(r"^Ran 0 tests in ", re.MULTILINE)
NO_TESTS = "the service has no tests of its own: nothing of it runs before its stages"
# Lambda's pattern for tenants allows more; a tenant is one release of one service.
MAX_TENANT = 256


class SandboxRequest(Frozen):
    """Presigned URLs to read the source from and to write results to; the command; `timeout` in seconds."""

    source_url: str
    output_url: str
    report_url: str
    command: str
    requirements: tuple[str, ...] = ()
    timeout: int = Field(ge=1)
    report: str = Field("", description="the JUnit XML that the command writes; pytest's needs no name")


class Counts(Frozen):
    """How many tests there were, as the JUnit report tells."""

    tests: int = 0
    failures: int = 0
    errors: int = 0
    skipped: int = 0

    @property
    def text(self) -> str:
        """Such as `1 failed, 4 passed`; empty where nothing was counted."""
        failed = self.failures + self.errors
        passed = self.tests - failed - self.skipped
        parts = ((failed, "failed"), (passed, "passed"), (self.skipped, "skipped"))
        return ", ".join(f"{count} {name}" for count, name in parts if count)


class Failed(Frozen):
    """A test that failed, and the first line of its reason."""

    name: str
    reason: str = ""


class Report(Frozen):
    """What a JUnit report tells; `fault` is why it could not be read. Without counts there was none."""

    counts: Counts | None = None
    failed: tuple[Failed, ...] = ()
    fault: str = ""


class SandboxResult(Frozen):
    """How the command ended. `not_installed` is why its requirements could not be installed."""

    exit_code: int = 0
    timed_out: bool = False
    too_much_output: bool = False
    not_installed: str = ""
    output_tail: str = ""
    failed: tuple[Failed, ...] = ()
    counts: Counts | None = None
    report_fault: str = ""
    called_out: str = Field("", description="what of the output tells that it wanted the network or AWS")


def tenant_of(ref: ReleaseRef) -> str:
    """The sandbox's tenant: environments are shared by nobody else."""
    return f"{ref.service}-{ref.id}"[:MAX_TENANT]


def find_failure(result: SandboxResult, command: str, timeout: int) -> str | None:
    """Why the tests count as failed, in one line; None where they passed."""
    failure = _find_failure(result, command, timeout)
    if failure is None or not result.called_out:
        return failure
    return (
        f"{failure} ({result.called_out}: tests run without network and credentials; use a stub such as moto)"
    )


def _find_failure(result: SandboxResult, command: str, timeout: int) -> str | None:
    if result.not_installed:
        return f"the tests' requirements cannot be installed: {result.not_installed}"
    if result.timed_out:
        return f"`{command}` did not end within {timeout} seconds and was killed"
    if result.too_much_output:
        return f"`{command}` printed more than is kept and was killed"
    if _ran_nothing(result, command):
        return f"`{command}` collected no tests, which is no pass"
    if result.exit_code == 0 and not result.failed:
        return None
    return _describe(result, command)


def _ran_nothing(result: SandboxResult, command: str) -> bool:
    """Whether there was no test to run, whatever the exit code: pytest and unittest say 5, or even 0."""
    if result.counts is not None and not result.failed:
        return result.counts.tests == 0 and result.exit_code in {0, NO_TESTS_COLLECTED}
    by_code = result.exit_code == NO_TESTS_COLLECTED and re.search(r"pytest|unittest", command) is not None
    return by_code or (result.exit_code == 0 and UNITTEST_RAN_NONE.search(result.output_tail) is not None)


def check_missing(policy: OnMissingTests) -> str:
    """What is said of a service without tests; TestsFailed where the policy is not to go on."""
    if policy is OnMissingTests.FAIL:
        message = "there are no tests, and tests.missing is fail; name their command in `tests.command`"
        raise TestsFailed(message)
    return NO_TESTS


def summarize(result: SandboxResult, command: str) -> str:
    """A passed run in one line."""
    counted = result.counts.text if result.counts else ""
    fault = f"; its report was not read: {result.report_fault}" if result.report_fault else ""
    return f"`{command}` passed{': ' if counted else ''}{counted}{fault}"


def check(result: SandboxResult, command: str, timeout: int) -> str:
    """The summary of a passed run; TestsFailed otherwise."""
    failure = find_failure(result, command, timeout)
    if failure is not None:
        raise TestsFailed(failure)
    return summarize(result, command)


def _describe(result: SandboxResult, command: str) -> str:
    counted = f" ({result.counts.text})" if result.counts and result.counts.text else ""
    if result.failed:
        first = result.failed[0]
        return plain(f"{first.name} failed{counted}{': ' if first.reason else ''}{first.reason}")
    lines = [line for line in map(plain, result.output_tail.splitlines()) if line]
    errors = [line for line in lines if re.match(r"(\S+: )?error: |E  +\S", line, re.IGNORECASE)]
    last = f": {(errors or lines)[-1]}" if lines else ""
    return f"`{command}` ended with exit code {result.exit_code}{counted}{last}"
