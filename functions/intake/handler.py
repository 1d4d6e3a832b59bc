"""Starts the release that an event asks for; a broken event leaves as MalformedEvent, to the dead letters."""

from __future__ import annotations

from typing import Any

from pydantic import RootModel

from tidegate.adapters.executions import start_release
from tidegate.domain.identity import Frozen, execution_name
from tidegate.domain.intake import Bounds, Ignored, normalize
from tidegate.task import Tools, logger, task


class Request(RootModel[dict[str, Any]]):
    """An EventBridge event, as its source shapes it."""


class Response(Frozen):
    """What became of the event: `started`, `repeated` or `ignored`."""

    outcome: str
    reason: str = ""
    execution: str = ""


def handle(request: Request, tools: Tools) -> Response:
    """Start the release that the event asks for, once."""
    settings = tools.settings
    bounds = Bounds(
        branches=settings.branches, source_bucket=settings.source_bucket, origins=settings.origins
    )
    push = normalize(request.root, bounds)
    if isinstance(push, Ignored):
        logger().info("event ignored", extra={"reason": push.reason, "event_id": request.root.get("id")})
        return Response(outcome="ignored", reason=push.reason)
    name = execution_name(push.commit, push.attempt)
    started = start_release(tools.machines, settings.release_machine, push)
    outcome = "started" if started else "repeated"
    logger().info(f"release {outcome}", extra={"execution": name, "branch": push.commit.branch})
    return Response(outcome=outcome, execution=name)


handler = task(Request, handle)
