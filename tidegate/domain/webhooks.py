"""What GitHub's webhook says, and whether GitHub said it.

A delivery is signed over its exact bytes: they are compared before anything is parsed. What is no push to a
configured branch is `Ignored`, by name. Sources: GitHub Docs, "Validating webhook deliveries" and "Webhook
events and payloads" (`push`).
"""

from __future__ import annotations

import hmac
import json
from typing import TYPE_CHECKING, Any, Final

from tidegate.domain.errors import MalformedEvent
from tidegate.domain.identity import Frozen, ServiceName
from tidegate.domain.intake import COMMIT_ID, Ignored

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tidegate.domain.origins import Origins

# GitHub sends up to 25 MB, a function URL takes 6 MB; a push this large is found by the schedule.
MAX_BODY: Final = 2_000_000
BRANCHES: Final = "refs/heads/"
TAGS: Final = "refs/tags/"


class Pushed(Frozen):
    """A commit that a configured branch was moved to."""

    service: ServiceName
    commit: str
    branch: str


def sign(body: bytes, secret: str) -> str:
    """The value of X-Hub-Signature-256 for these bytes under a secret."""
    return f"sha256={hmac.new(secret.encode(), body, 'sha256').hexdigest()}"


def is_signed(body: bytes, signature: str, secrets: Iterable[str]) -> bool:
    """Whether a signature is that of the bytes under one of the secrets.

    Each secret is compared, in constant time, whichever fits: nothing is learnt from how long it takes.
    """
    given = signature.encode("utf-8", "replace")
    fits = [hmac.compare_digest(sign(body, secret).encode(), given) for secret in secrets if secret]
    return any(fits)


def read_delivery(event: str, body: bytes, origins: Origins) -> Pushed | Ignored:
    """The push that a delivery of an event tells of, or why it is ignored; MalformedEvent where broken."""
    if event == "ping":
        return Ignored(reason="ping: the webhook is set up")
    if event != "push":
        return Ignored(reason=f"{event} is no push")
    try:
        payload: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedEvent(f"the body is no JSON: {type(error).__name__}") from None
    if not isinstance(payload, dict):
        raise MalformedEvent("the body is no JSON object")
    return _read_push(payload, origins)


def _read_push(payload: Mapping[str, Any], origins: Origins) -> Pushed | Ignored:
    ref, after = _text(payload, "ref"), _text(payload, "after")
    deleted = payload.get("deleted") is True or not after.strip("0")
    happened = "deletion" if deleted else "push"
    if ref.startswith(TAGS):
        return Ignored(reason=f"{happened} of the tag {ref.removeprefix(TAGS)}")
    if not ref.startswith(BRANCHES):
        return Ignored(reason=f"{ref} is no branch")
    branch = ref.removeprefix(BRANCHES)
    if deleted:
        return Ignored(reason=f"deletion of the branch {branch}")
    name = _text(payload, "repository", "full_name")
    origin = origins.of_repository("github", name)
    if origin is None:
        return Ignored(reason=f"repository {name} is not configured")
    if branch not in origin.branches:
        known = ", ".join(origin.branches)
        return Ignored(reason=f"branch {branch} of {name} is not configured (configured: {known})")
    if COMMIT_ID.fullmatch(after) is None:
        raise MalformedEvent(f"after: {after[:80]!r} is no full commit id")
    return Pushed(service=origin.service, commit=after, branch=branch)


def _text(payload: Mapping[str, Any], *path: str) -> str:
    value: Any = payload
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, str) or not value:
        raise MalformedEvent(f"{'.'.join(path)} is missing or no text")
    return value
