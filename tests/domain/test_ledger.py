from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.approvals import approval_key
from tidegate.domain.ledger import Failure

LAMBDA = {
    "errorMessage": "tests/test_a.py failed:\n  1 of 3",
    "errorType": "TestsFailed",
    "stackTrace": ["x"],
}


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (json.dumps(LAMBDA), "TestFunction: TestsFailed: tests/test_a.py failed: 1 of 3"),
        ("The state timed\nout", "TestFunction: TestsFailed: The state timed out"),
        ("", "TestFunction: TestsFailed: no cause given"),
        ("[1, 2]", "TestFunction: TestsFailed: [1, 2]"),
        ('{"a": 1}', 'TestFunction: TestsFailed: {"a": 1}'),
        (json.dumps(LAMBDA)[:48], "TestFunction: TestsFailed: tests/test_a.py failed: 1 o"),
    ],
)
def test_a_failure_is_one_readable_line(cause: str, said: str) -> None:
    assert Failure(state="TestFunction", error="TestsFailed", cause=cause).reason == said


@given(st.text())
def test_a_reason_is_always_one_line(cause: str) -> None:
    assert len(Failure(state="S", error="E", cause=cause).reason.splitlines()) == 1


def test_requests_for_approval_are_kept_by_release_and_stage() -> None:
    assert approval_key("abc-1", "production") == "approval#abc-1#production"
