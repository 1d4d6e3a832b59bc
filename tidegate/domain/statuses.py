"""How a release stands, in the words of the place that its commit came from.

The state comes from the ledger alone, so that events that come late, twice or in another order say the same.
Source: GitHub REST API, "Commit statuses" (a description has 140 characters at most).
"""

from __future__ import annotations

from typing import Final, Literal

from tidegate.domain.identity import Frozen
from tidegate.domain.ledger import Outcome, Release

State = Literal["pending", "success", "failure", "error"]
LONGEST: Final = 140
# `error` is what says nothing against the commit itself.
STATES: Final[dict[Outcome, tuple[State, str]]] = {
    Outcome.OPEN: ("pending", "is being released"),
    Outcome.PROMOTED: ("success", "every stage runs it"),
    Outcome.RESTORED: ("success", "gone back to, by an operator"),
    Outcome.ROLLED_BACK: ("failure", "rolled back"),
    Outcome.REJECTED: ("failure", "rejected before any traffic moved"),
    Outcome.SUPERSEDED: ("error", "overtaken by a newer commit"),
    Outcome.NEEDS_OPERATOR: ("error", "needs an operator"),
}
CONSOLES: Final = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}
REASONED: Final = frozenset({Outcome.ROLLED_BACK, Outcome.REJECTED, Outcome.NEEDS_OPERATOR})


class Status(Frozen):
    """A status of a commit, with the names that GitHub has for its parts."""

    state: State
    context: str
    description: str
    target_url: str


def describe(release: Release) -> Status:
    """The status of a release's commit: one for each service, so that a retry replaces what failed."""
    state, words = STATES[release.outcome]
    if release.outcome in REASONED and release.reason:
        words = f"{words}: {' '.join(release.reason.split())}"
    return Status(
        state=state,
        context=f"tidegate/{release.ref.service}",
        description=words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}…",
        target_url=console_url(release.ref.execution),
    )


def console_url(execution: str) -> str:
    """Where a person sees an execution; empty for what is no ARN of one."""
    parts = execution.split(":")
    if len(parts) != 8 or parts[5] != "execution":  # noqa: PLR2004
        return ""
    partition, region = parts[1], parts[3]
    host = CONSOLES.get(partition, "console.aws.amazon.com")
    return f"https://{region}.{host}/states/home?region={region}#/v2/executions/details/{execution}"
