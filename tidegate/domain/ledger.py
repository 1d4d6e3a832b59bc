"""What the ledger holds: entries that are only ever added, the claim on a service, and how releases ended.

A claim is the right to write a service's aliases and stacks. Its epoch only grows; whoever carries a lower
epoch than the claim has lost the right and must write nothing more (a fencing token, see Kleppmann,
"How to do distributed locking", 2016).
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from pydantic import Field

from tidegate.domain.identity import Commit, Frozen, ReleaseRef

# The state machines keep the first 4,000 characters of a cause, so that its JSON may end anywhere.
CUT_MESSAGE: Final = re.compile(r'\s*\{\s*"errorMessage"\s*:\s*"((?:[^"\\]|\\.)*)')

ROLLBACK_EXECUTION: Final = ":execution:tidegate-rollback:"


class Outcome(StrEnum):
    """How a release stands; all but OPEN are final."""

    OPEN = "open"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    NEEDS_OPERATOR = "needs_operator"
    RESTORED = "restored"


class Entry(Frozen):
    """One decision with the evidence that it was made on.

    `key` names the decision within its release, so that a task that runs twice adds one entry.
    `what` is a sentence for people; `evidence` holds the numbers and names behind it.
    """

    service: str
    release_id: str
    key: str
    at: datetime
    step: str
    stage: str = ""
    what: str
    evidence: dict[str, Any] = Field(default_factory=dict)


class Release(Frozen):
    """A release as a whole: the line that `tidegate status` shows for it.

    `restores` names the release that an order of an operator goes back to; its commit is that release's.
    """

    ref: ReleaseRef
    commit: Commit
    attempt: int
    outcome: Outcome = Outcome.OPEN
    reason: str = ""
    closed_at: datetime | None = None
    restores: str = ""


class ClaimState(StrEnum):
    """FREE: anyone may take it. HELD: one execution writes. OPERATOR: a person must repair first."""

    FREE = "free"
    HELD = "held"
    OPERATOR = "operator"


class Claim(Frozen):
    """The claim on a service; `holder` is the execution that writes, `release` the one that it writes for."""

    service: str
    epoch: int
    state: ClaimState
    holder: str
    release: ReleaseRef

    @property
    def is_of_rollback(self) -> bool:
        """Whether an execution of the rollback machine holds it, or held it last."""
        return ROLLBACK_EXECUTION in self.holder


class Failure(Frozen):
    """Why a release stops: the state that failed, the error's name, and its cause as the platform gave it."""

    state: str
    error: str
    cause: str = ""

    @property
    def reason(self) -> str:
        """One readable line: the message of a Lambda error, without its JSON and its stack trace."""
        message = self.cause
        try:
            parsed = json.loads(self.cause)
        except ValueError:
            parsed = None
        if isinstance(parsed, dict) and "errorMessage" in parsed:
            message = str(parsed["errorMessage"])
        elif (found := CUT_MESSAGE.match(self.cause)) is not None:
            message = found[1].replace("\\n", " ").replace('\\"', '"')
        line = " ".join(message.split()) or "no cause given"
        return f"{self.state}: {self.error}: {line}"
