"""Starts executions of the release machine, and tells how executions stand.

The name and the input come from the push alone, so that Step Functions itself makes a repeated event a
no-op: while the execution runs, by answering the same; for 90 days after, by refusing the name.
Source: AWS Step Functions API Reference, "StartExecution".
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tidegate.domain.identity import execution_name

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

    from tidegate.domain.intake import Push


def start_release(machines: SFNClient, machine: str, push: Push) -> bool:
    """Start the release of a push; False where an execution of its name ended before."""
    body = {"commit": push.commit.model_dump(mode="json"), "attempt": push.attempt}
    try:
        machines.start_execution(
            stateMachineArn=machine,
            name=execution_name(push.commit, push.attempt),
            input=json.dumps(body, sort_keys=True),
        )
    except machines.exceptions.ExecutionAlreadyExists:
        return False
    return True


def resume(machines: SFNClient, token: str) -> bool:
    """Let a state go on that waits by a token; False where it waits no more."""
    try:
        machines.send_task_success(taskToken=token, output="{}")
    except (
        machines.exceptions.TaskTimedOut,
        machines.exceptions.TaskDoesNotExist,
        machines.exceptions.InvalidToken,
    ):
        return False
    return True


def read_status(machines: SFNClient, execution: str) -> str:
    """An execution's status; GONE for one that Step Functions has forgotten, 90 days after its end."""
    try:
        return machines.describe_execution(executionArn=execution)["status"]
    except machines.exceptions.ExecutionDoesNotExist:
        return "GONE"
