"""Lets a release go on whose build at CodeBuild has ended; a repeated or late event changes nothing.

The event says only that something has ended: how the builds stand is asked of CodeBuild, and what they made
is looked at by BuildFunction. So nothing in the event, or in the build's environment, decides anything.
"""

from __future__ import annotations

from typing import Any

from pydantic import RootModel

from tidegate.adapters.codebuild import look
from tidegate.adapters.errands import read_waiting
from tidegate.adapters.executions import resume
from tidegate.domain.errands import is_over, read_event
from tidegate.domain.identity import Frozen
from tidegate.task import Tools, logger, task


class Request(RootModel[dict[str, Any]]):
    """An event of CodeBuild, as EventBridge brings it."""


class Response(Frozen):
    """What became of the event: `resumed`, `late`, `waiting` or `ignored`."""

    outcome: str


def handle(request: Request, tools: Tools) -> Response:
    """Answer the token of the share that the build belongs to, if all that it waits for has ended."""
    service, release_id, index = read_event(request.root)
    waiting = read_waiting(tools.ledger, service, release_id, index)
    if not waiting.token:
        outcome = "ignored"
    elif not is_over(waiting, look(tools.builds, waiting.last)):
        outcome = "waiting"
    else:
        outcome = "resumed" if resume(tools.machines, waiting.token) else "late"
    logger().info(f"build ended: {outcome}", extra={"release": release_id, "release_of": service})
    return Response(outcome=outcome)


handler = task(Request, handle)
