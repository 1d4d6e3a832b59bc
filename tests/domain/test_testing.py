from __future__ import annotations

import pytest

from tidegate.domain.config import OnMissingTests
from tidegate.domain.errors import TestsFailed
from tidegate.domain.testing import NO_TESTS, Counts, Failed, SandboxResult, check, check_missing

PYTEST = "pytest -q tests"


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (SandboxResult(timed_out=True), "did not end within 600 seconds"),
        (SandboxResult(too_much_output=True), "printed more than is kept"),
        (SandboxResult(exit_code=1, not_installed="no wheel"), "cannot be installed: no wheel"),
        (SandboxResult(exit_code=5), "collected no tests, which is no pass"),
        (SandboxResult(counts=Counts()), "collected no tests, which is no pass"),
        (
            SandboxResult(output_tail="\nRan 0 tests in 0.000s\n\nOK\n"),
            "collected no tests, which is no pass",
        ),
        (
            SandboxResult(failed=(Failed(name="test_x"),), counts=Counts(tests=2, failures=1)),
            r"test_x failed \(1 failed, 1 passed\)",
        ),
        (
            SandboxResult(
                exit_code=1,
                failed=(Failed(name="tests.test_a::test_x", reason="assert 1 == 2"),),
                counts=Counts(tests=5, failures=1, skipped=1),
            ),
            r"tests\.test_a::test_x failed \(1 failed, 3 passed, 1 skipped\): assert 1 == 2",
        ),
        (SandboxResult(exit_code=2, output_tail="x\nusage: bad\n\n"), "ended with exit code 2: usage: bad"),
        (
            SandboxResult(
                exit_code=4, output_tail="ERROR: usage: x\npytest: error: unknown --cov\nrootdir: /x\n"
            ),
            "exit code 4: pytest: error: unknown --cov",
        ),
        (SandboxResult(exit_code=-9), "exit code -9"),
        (SandboxResult(exit_code=1, output_tail="\x1b[31mE   assert 1\x1b[0m\nend\n"), "1: E   assert 1$"),
    ],
)
def test_whatever_is_no_pass_fails_with_one_line(result: SandboxResult, message: str) -> None:
    with pytest.raises(TestsFailed, match=message) as caught:
        check(result, PYTEST, 600)
    assert "\n" not in str(caught.value)


def test_a_pass_says_what_was_counted() -> None:
    assert check(SandboxResult(counts=Counts(tests=4)), PYTEST, 1) == f"`{PYTEST}` passed: 4 passed"
    assert check(SandboxResult(), "make test", 1) == "`make test` passed"
    fault = SandboxResult(report_fault="it is no JUnit XML")
    assert check(fault, "make test", 1) == "`make test` passed; its report was not read: it is no JUnit XML"


def test_a_command_that_writes_no_report_is_judged_by_its_end() -> None:
    assert check(SandboxResult(output_tail="ran 12 tests"), "npm test", 1) == "`npm test` passed"
    with pytest.raises(TestsFailed, match="ended with exit code 5"):
        check(SandboxResult(exit_code=5), "npm test", 1)


def test_without_tests_the_policy_decides() -> None:
    assert check_missing(OnMissingTests.WARN) == NO_TESTS
    with pytest.raises(TestsFailed, match=r"tests\.missing is fail"):
        check_missing(OnMissingTests.FAIL)
