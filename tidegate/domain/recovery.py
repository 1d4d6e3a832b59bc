"""When a rollback has ended, and how."""

from __future__ import annotations

from typing import Final

from tidegate.domain.ledger import Outcome

# At 15 s each ten minutes: the first whole minute after the restore can be read only when four have passed.
LOOKS: Final = 40


def decide(trouble: str, looks: int, *, shifted: bool) -> Outcome | None:
    """The outcome; None asks for another look.

    A release that moved no traffic is rejected: nothing of its could have hurt anyone. One that did is rolled
    back once there is no trouble left, and an operator's matter when there still is after all looks.
    """
    if not trouble:
        return Outcome.ROLLED_BACK if shifted else Outcome.REJECTED
    return Outcome.NEEDS_OPERATOR if looks >= LOOKS else None
