"""How a release's outcome is told: in words, in colour, and as an exit code."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from tidegate.domain.ledger import Outcome


class Exit(IntEnum):
    """The exit codes of the verbs; 2 is click's, for wrong usage."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REJECTED = 3
    ROLLED_BACK = 4
    NEEDS_OPERATOR = 5


EXITS: Final = {
    Outcome.OPEN: Exit.DONE,
    Outcome.PROMOTED: Exit.DONE,
    Outcome.RESTORED: Exit.DONE,
    Outcome.SUPERSEDED: Exit.REJECTED,
    Outcome.REJECTED: Exit.REJECTED,
    Outcome.ROLLED_BACK: Exit.ROLLED_BACK,
    Outcome.NEEDS_OPERATOR: Exit.NEEDS_OPERATOR,
}
COLOURS: Final = {
    Outcome.OPEN: "cyan",
    Outcome.PROMOTED: "green",
    Outcome.RESTORED: "yellow",
    Outcome.SUPERSEDED: "bright_black",
    Outcome.REJECTED: "yellow",
    Outcome.ROLLED_BACK: "red",
    Outcome.NEEDS_OPERATOR: "bold red",
}


def say(outcome: Outcome) -> str:
    """The outcome in words: `rolled back`."""
    return outcome.value.replace("_", " ")
