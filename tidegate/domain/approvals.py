"""A person's yes or no to a stage."""

from __future__ import annotations

from datetime import datetime

from tidegate.domain.identity import Frozen


class ApprovalRequest(Frozen):
    """What is asked, and the token that an answer must carry."""

    stage: str
    release_id: str
    token: str
    asked_at: datetime


def approval_key(release_id: str, stage: str) -> str:
    """Where the ledger keeps the request."""
    return f"approval#{release_id}#{stage}"
