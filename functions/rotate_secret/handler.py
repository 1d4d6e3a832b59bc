"""Rotates the secret of GitHub's webhook, in the four steps of Secrets Manager; each can be done again.

GitHub is told before the new secret becomes the current one: whatever fails then leaves the old one valid. In
between, ReceiveWebhook takes the pending one too.
Source: AWS Secrets Manager User Guide, "Lambda rotation functions".
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, Literal

from tidegate.adapters.secrets import PENDING
from tidegate.domain.errors import MalformedEvent
from tidegate.domain.identity import Frozen
from tidegate.domain.webhooks import is_signed, sign
from tidegate.task import Tools, task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BYTES: Final = 24


class Request(Frozen):
    """A step, for one version of the secret; the names are those of Secrets Manager."""

    Step: Literal["createSecret", "setSecret", "testSecret", "finishSecret"]
    SecretId: str
    ClientRequestToken: str
    RotationToken: str | None = None


class Response(Frozen):
    """The step that was done."""

    done: str


def handle(request: Request, tools: Tools) -> Response:
    """Do a step; a version that is current already needs none."""
    stages = tools.secrets.stages(request.SecretId).get(request.ClientRequestToken)
    if stages is None:
        raise MalformedEvent(f"the secret has no version {request.ClientRequestToken}")
    if "AWSCURRENT" not in stages or PENDING in stages:
        STEPS[request.Step](request, tools)
    return Response(done=request.Step)


def _create(request: Request, tools: Tools) -> None:
    if tools.secrets.read(request.SecretId, PENDING, request.ClientRequestToken) is None:
        tools.secrets.add_pending(request.SecretId, request.ClientRequestToken, secrets.token_hex(BYTES))


def _set(request: Request, tools: Tools) -> None:
    tools.hosts.set_webhook_secret(tools.settings.webhook_url, _read(request, tools))


def _test(request: Request, tools: Tools) -> None:
    """What is signed with it must fit what ReceiveWebhook reads."""
    accepted = tools.secrets.accepted(request.SecretId, again=True)
    if not is_signed(b"test", sign(b"test", _read(request, tools)), accepted):
        raise MalformedEvent("the pending secret is not among those that are accepted")


def _finish(request: Request, tools: Tools) -> None:
    tools.secrets.make_current(request.SecretId, request.ClientRequestToken)


def _read(request: Request, tools: Tools) -> str:
    found = tools.secrets.read(request.SecretId, PENDING, request.ClientRequestToken)
    if not found:
        raise MalformedEvent(f"the pending version {request.ClientRequestToken} has no value")
    return found


STEPS: Final[Mapping[str, Callable[[Request, Tools], None]]] = {
    "createSecret": _create,
    "setSecret": _set,
    "testSecret": _test,
    "finishSecret": _finish,
}
handler = task(Request, handle)
