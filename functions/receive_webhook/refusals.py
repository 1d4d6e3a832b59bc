"""Which deliveries are refused before anything in them is read, and with what status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tidegate.domain.pipeline import WEBHOOK_SECRET
from tidegate.domain.requests import UrlAnswer, UrlRequest, answer
from tidegate.domain.webhooks import MAX_BODY, is_signed

if TYPE_CHECKING:
    from tidegate.task import Tools

JSON: Final = "application/json"


def refuse(asked: UrlRequest, tools: Tools) -> UrlAnswer | None:
    """The answer to what is no signed delivery; None where it is one."""
    if asked.method != "POST":
        return answer(405, error="deliveries are posted")
    if asked.body is None:
        return answer(400, error="the body is not base64")
    if len(asked.body) > MAX_BODY:
        return answer(413, error=f"a delivery has at most {MAX_BODY} bytes")
    if not _is_signed(asked.body, asked.headers.get("x-hub-signature-256", ""), tools):
        return answer(401, error="X-Hub-Signature-256 does not fit the webhook's secret")
    if asked.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        return answer(415, error=f"set the webhook's content type to {JSON}")
    return None


def _is_signed(body: bytes, signature: str, tools: Tools) -> bool:
    """Whether a valid secret fits; a secret may have been rotated since they were read."""
    return bool(signature) and any(
        is_signed(body, signature, tools.secrets.accepted(WEBHOOK_SECRET, again=again))
        for again in (False, True)
    )
