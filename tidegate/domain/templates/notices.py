"""What an operator has to know before a release: what a canary does not cover, and what was replaced.

Only the value; each module that finds something makes its own notices.
"""

from __future__ import annotations

from enum import StrEnum

from tidegate.domain.identity import Frozen


class NoticeKind(StrEnum):
    """at_once: with the stack update. around: goes around the canary. replaced: done by Tidegate."""

    AT_ONCE = "at_once"
    AROUND = "around"
    REPLACED = "replaced"


class Notice(Frozen):
    """One sentence about one resource (or `Outputs.<name>`)."""

    logical_id: str
    kind: NoticeKind
    text: str
