from __future__ import annotations

import pytest

from tidegate.domain.errors import TestsFailed
from tidegate.domain.testing import Counts, Failed, SandboxResult, check

PYTEST = "pytest -q tests"


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (SandboxResult(timed_out=True), "did not end within 600 seconds"),
        (SandboxResult(too_much_output=True), "printed more than is kept"),
        (SandboxResult(exit_code=1, not_installed="no wheel"), "cannot be installed: no wheel"),
        (SandboxResult(exit_code=5), "collected no tests, which is no pass"),
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
    ],
)
def test_whatever_is_no_pass_fails_with_one_line(result: SandboxResult, message: str) -> None:
    with pytest.raises(TestsFailed, match=message) as caught:
        check(result, PYTEST, 600)
    assert "\n" not in str(caught.value)


def test_a_pass_says_what_was_counted() -> None:
    assert check(SandboxResult(counts=Counts(tests=4)), PYTEST, 1) == f"`{PYTEST}` passed: 4 passed"
    assert check(SandboxResult(), "make test", 1) == "`make test` passed"
