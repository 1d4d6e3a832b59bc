"""Rotates the secret of GitHub's webhook, in the four steps of Secrets Manager; each can be done again.

GitHub is told before the new secret becomes the current one: whatever fails then leaves the old one valid. In
between, ReceiveWebhook takes the pending one too.
Source: AWS Secrets Manager User Guide, "Lambda rotation functions".
"""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict

from functions.rotate_secret.steps import STEPS, Version
from tidegate.adapters.secrets import CURRENT, PENDING
from tidegate.domain.errors import MalformedEvent
from tidegate.domain.identity import Frozen
from tidegate.task import Tools, task


class Request(Frozen):
    """A step, for one version of the secret; the names are those of Secrets Manager, which may send more."""

    model_config = ConfigDict(extra="ignore")

    Step: Literal["createSecret", "setSecret", "testSecret", "finishSecret"]
    SecretId: str
    ClientRequestToken: str


class Response(Frozen):
    """The step that was done."""

    done: str


def handle(request: Request, tools: Tools) -> Response:
    """Do a step; a version that is current already needs none."""
    stages = tools.secrets.stages(request.SecretId).get(request.ClientRequestToken)
    if stages is None:
        raise MalformedEvent(f"the secret has no version {request.ClientRequestToken}")
    if CURRENT not in stages or PENDING in stages:
        STEPS[request.Step](Version(secret=request.SecretId, id=request.ClientRequestToken), tools)
    return Response(done=request.Step)


handler = task(Request, handle)
