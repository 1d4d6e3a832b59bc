"""What the sandbox is asked, what it answers, and what the answer means for the release.

The answer comes from an environment in which foreign code has run: it counts for its own release only, and
nothing in it is trusted further than that.
"""

from __future__ import annotations

import re

from pydantic import Field

from tidegate.domain.errors import TestsFailed
from tidegate.domain.identity import Frozen, ReleaseRef

NO_TESTS_COLLECTED = 5
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


class SandboxResult(Frozen):
    """How the command ended. `not_installed` is why its requirements could not be installed."""

    exit_code: int = 0
    timed_out: bool = False
    too_much_output: bool = False
    not_installed: str = ""
    output_tail: str = ""
    failed: tuple[Failed, ...] = ()
    counts: Counts | None = None


def tenant_of(ref: ReleaseRef) -> str:
    """The sandbox's tenant: environments are shared by nobody else."""
    return f"{ref.service}-{ref.id}"[:MAX_TENANT]


def find_failure(result: SandboxResult, command: str, timeout: int) -> str | None:
    """Why the tests count as failed, in one line; None where they passed."""
    if result.not_installed:
        return f"the tests' requirements cannot be installed: {result.not_installed}"
    if result.timed_out:
        return f"`{command}` did not end within {timeout} seconds and was killed"
    if result.too_much_output:
        return f"`{command}` printed more than is kept and was killed"
    if result.exit_code == 0:
        return None
    if result.exit_code == NO_TESTS_COLLECTED and "pytest" in command:
        return f"`{command}` collected no tests, which is no pass"
    return _describe(result, command)


def summarize(result: SandboxResult, command: str) -> str:
    """A passed run in one line."""
    counted = result.counts.text if result.counts else ""
    return f"`{command}` passed{': ' if counted else ''}{counted}"


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
        return f"{first.name} failed{counted}{': ' if first.reason else ''}{first.reason}"
    lines = [line.strip() for line in result.output_tail.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(\S+: )?error: |E  +\S", line, re.IGNORECASE)]
    last = f": {(errors or lines)[-1]}" if lines else ""
    return f"`{command}` ended with exit code {result.exit_code}{counted}{last}"
