"""The four steps of a rotation, each of which can be done again."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from tidegate.adapters.secrets import PENDING
from tidegate.domain.errors import MalformedEvent
from tidegate.domain.identity import Frozen
from tidegate.domain.webhooks import is_signed, sign

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tidegate.task import Tools

BYTES: Final = 24


class Version(Frozen):
    """The version of a secret that a rotation makes."""

    secret: str
    id: str


def _create(version: Version, tools: Tools) -> None:
    if tools.secrets.read(version.secret, PENDING, version.id) is None:
        tools.secrets.add_pending(version.secret, version.id, secrets.token_hex(BYTES))


def _set(version: Version, tools: Tools) -> None:
    tools.hosts.set_webhook_secret(tools.settings.webhook_url, _read(version, tools))


def _test(version: Version, tools: Tools) -> None:
    """What is signed with it must fit what ReceiveWebhook reads."""
    accepted = tools.secrets.accepted(version.secret, again=True)
    if not is_signed(b"test", sign(b"test", _read(version, tools)), accepted):
        raise MalformedEvent("the pending secret is not among those that are accepted")


def _finish(version: Version, tools: Tools) -> None:
    tools.secrets.make_current(version.secret, version.id)


def _read(version: Version, tools: Tools) -> str:
    found = tools.secrets.read(version.secret, PENDING, version.id)
    if not found:
        raise MalformedEvent(f"the pending version {version.id} has no value")
    return found


STEPS: Final[Mapping[str, Callable[[Version, Tools], None]]] = {
    "createSecret": _create,
    "setSecret": _set,
    "testSecret": _test,
    "finishSecret": _finish,
}
