from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tidegate.domain.identity import Commit, ReleaseRef
from tidegate.domain.ledger import Outcome, Release
from tidegate.domain.statuses import LONGEST, STATES, console_url, describe

EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:tidegate-release:orders-0123456789ab-1"
REF = ReleaseRef(
    service="orders",
    id="0123456789ab-1",
    execution=EXECUTION,
    epoch=1,
    opened_at=datetime(2026, 1, 1, tzinfo=UTC),
)
RELEASE = Release(
    ref=REF, commit=Commit(service="orders", id="0123456789ab" + "0" * 28, branch="main"), attempt=1
)


def test_every_outcome_has_a_state() -> None:
    assert set(STATES) == set(Outcome)
    states = {outcome: describe(RELEASE.model_copy(update={"outcome": outcome})).state for outcome in Outcome}
    assert {outcome for outcome, state in states.items() if state == "success"} == {
        Outcome.PROMOTED,
        Outcome.RESTORED,
    }
    assert [outcome for outcome, state in states.items() if state == "pending"] == [Outcome.OPEN]


def test_a_status_leads_to_the_execution() -> None:
    status = describe(RELEASE)
    assert status.context == "tidegate/orders"
    assert status.target_url == (
        "https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1"
        f"#/v2/executions/details/{EXECUTION}"
    )


@pytest.mark.parametrize(
    ("execution", "url"),
    [
        ("", ""),
        ("arn:aws:lambda:us-east-1:1:function:f", ""),
        (
            EXECUTION.replace("arn:aws:", "arn:aws-cn:").replace("eu-west-1", "cn-north-1"),
            "https://cn-north-1.console.amazonaws.cn/",
        ),
    ],
)
def test_where_an_execution_is_seen(execution: str, url: str) -> None:
    assert console_url(execution).startswith(url)
    assert bool(console_url(execution)) is bool(url)


def test_why_a_release_failed_is_told_as_far_as_it_fits() -> None:
    failed = RELEASE.model_copy(
        update={"outcome": Outcome.ROLLED_BACK, "reason": "errors\n of F " + "x" * 200}
    )
    told = describe(failed).description
    assert told.startswith("rolled back: errors of F xx")
    assert (len(told), told[-1]) == (LONGEST, "…")
