"""The path that an execution took, and what it costs: for tests and benchmarks, from its history alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def events(client: Any, execution_arn: str) -> Iterator[dict[str, Any]]:  # noqa: ANN401
    """All events of an execution's history, page after page, in their order."""
    pages = client.get_paginator("get_execution_history").paginate(executionArn=execution_arn)
    for page in pages:
        yield from page["events"]


def path(client: Any, execution_arn: str) -> list[str]:  # noqa: ANN401
    """The names of the states in the order in which they were entered, those within Map and Parallel too."""
    found = (event.get("stateEnteredEventDetails") for event in events(client, execution_arn))
    return [details["name"] for details in found if details]


def transitions(client: Any, execution_arn: str) -> int:  # noqa: ANN401
    """State transitions as AWS bills them: the start, each state entered, each retry.

    Source: https://aws.amazon.com/step-functions/pricing/
    """
    entered = attempts = tasks = 0
    for event in events(client, execution_arn):
        kind = event["type"]
        entered += kind.endswith("StateEntered")
        tasks += kind == "TaskStateEntered"
        attempts += kind in {"TaskScheduled", "LambdaFunctionScheduled", "ActivityScheduled"}
    return entered + max(0, attempts - tasks)
