"""The payment provider: a stand-in with fixed rules, so that every run charges the same."""

from __future__ import annotations

from dataclasses import dataclass

DECLINED_TOKEN = "tok_declined"
UNREACHABLE_TOKEN = "tok_unreachable"


class ProviderUnreachableError(Exception):
    """The provider did not answer; the same charge may be tried again."""


@dataclass(frozen=True)
class Payment:
    """The provider's verdict on one charge."""

    status: str
    reason: str


def charge(token: str, amount_cents: int, limit_cents: int) -> Payment:
    """Charge `amount_cents`; the result for the same arguments is always the same."""
    if token == UNREACHABLE_TOKEN:
        raise ProviderUnreachableError("the payment provider did not answer")
    if token == DECLINED_TOKEN:
        return Payment("declined", "the card was declined")
    if amount_cents > limit_cents:
        return Payment("declined", f"the amount is above {limit_cents} cents")
    return Payment("charged", "approved")
