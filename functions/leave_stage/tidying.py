"""What a release leaves behind in a stage is taken away, and a healthy release never fails by that.

Each thing is tried for itself, and all again for a while: the state machine comes back for HoldsPending. What
cannot be taken away even then stays, is named in the ledger, and is the janitor's. ClaimLost leaves at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from tidegate.adapters.answers import UNANSWERED
from tidegate.adapters.documents import stage_prefix
from tidegate.domain.errors import ClaimLost, HoldsPending, TidegateError
from tidegate.domain.holds import Looks

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.domain.identity import ReleaseRef
    from tidegate.task import Tools

MOST_TRIES: Final = 8  # within a minute; together with the looks at what is held fewer than the attempts


class Tidying:
    """The tidying of one stage in one attempt of LeaveStage."""

    def __init__(self, ref: ReleaseRef, stage: str, tools: Tools) -> None:
        self._ref, self._stage, self._tools = ref, stage, tools
        self._left: dict[str, str] = {}

    def try_to(self, what: str, work: Callable[[], object]) -> None:
        """Take something away, which `what` names; an error is kept for the end."""
        try:
            work()
        except (ClaimLost, HoldsPending):
            raise
        except (TidegateError, ClientError, *UNANSWERED) as error:
            self._left[what] = f"{type(error).__name__}: {error}"

    def end(self) -> dict[str, str]:
        """What is left, and why; HoldsPending leaves where it is to be tried again."""
        if not self._left:
            return {}
        key = f"{stage_prefix(self._ref, self._stage)}leaving.json"
        looks = self._tools.documents.find(key, Looks) or Looks()
        if looks.tries < MOST_TRIES:
            self._tools.documents.write(key, looks.model_copy(update={"tries": looks.tries + 1}))
            raise HoldsPending(f"left behind in {self._stage} so far: {describe(self._left)}")
        return self._left


def describe(left: dict[str, str]) -> str:
    """What is left in words."""
    return "; ".join(f"{what} ({why})" for what, why in left.items())
