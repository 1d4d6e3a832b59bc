"""Answers GitHub's webhook: a signed push to a configured branch becomes `Commit Pushed`, on the bus.

Anybody may call it, so nothing is read before its signature fits, and nothing that is sent raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import RootModel

from functions.receive_webhook.refusals import refuse
from tidegate.adapters.answers import UNANSWERED
from tidegate.domain.errors import MalformedEvent
from tidegate.domain.intake import Ignored
from tidegate.domain.requests import UrlAnswer, UrlRequest, answer, read_request
from tidegate.domain.webhooks import Pushed, read_delivery
from tidegate.task import Tools, logger, task

if TYPE_CHECKING:
    from collections.abc import Mapping


class Request(RootModel[dict[str, Any]]):
    """A request to the function's URL."""


def handle(request: Request, tools: Tools) -> UrlAnswer:
    """Answer a delivery; what became of it is in the status and in the body, which GitHub shows."""
    asked = read_request(request.root)
    try:
        told = refuse(asked, tools) or _take(asked, tools)
    except MalformedEvent as error:
        told = answer(400, error=str(error))
    except (BotoCoreError, ClientError, *UNANSWERED):
        logger().exception("delivery lost", extra={"delivery": _delivery(asked.headers)})
        told = answer(503, error="not taken; the branch is compared later, or redeliver")
    logger().info("delivery", extra={"delivery": _delivery(asked.headers), "status": told.statusCode})
    return told


def _take(asked: UrlRequest, tools: Tools) -> UrlAnswer:
    """Put a push on the bus, or say why it is ignored."""
    event = asked.headers.get("x-github-event", "")
    if not event:
        raise MalformedEvent("the header X-GitHub-Event is missing")
    found = read_delivery(event, asked.body or b"", tools.settings.origins)
    if isinstance(found, Ignored):
        logger().info("delivery ignored", extra={"reason": found.reason})
        return answer(200, ignored=found.reason)
    return _tell(found, tools)


def _tell(pushed: Pushed, tools: Tools) -> UrlAnswer:
    tools.bus.put("Commit Pushed", pushed.model_dump())
    return answer(202, **pushed.model_dump())


def _delivery(headers: Mapping[str, str]) -> str:
    return headers.get("x-github-delivery", "")[:64]


handler = task(Request, handle)
