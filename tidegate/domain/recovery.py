"""What a rollback says that it has put back, when it has ended, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tidegate.domain.ledger import Outcome
from tidegate.domain.wording import list_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tidegate.domain.ledger import Failure
    from tidegate.domain.rollouts import Rollout

# At 15 s each ten minutes: the first whole minute after the restore can be read only when four have passed.
LOOKS: Final = 40


def decide(trouble: str, looks: int, *, shifted: bool, ordered: bool = False) -> Outcome | None:
    """The outcome; None asks for another look.

    A release that moved no traffic is rejected: nothing of its could have hurt anyone. One that did is rolled
    back once there is no trouble left, and an operator's matter when there still is after all looks. An
    `ordered` return to an earlier release ends as restored.
    """
    if not trouble:
        ended = Outcome.RESTORED if ordered else Outcome.ROLLED_BACK
        return ended if shifted else Outcome.REJECTED
    return Outcome.NEEDS_OPERATOR if looks >= LOOKS else None


def describe_restore(
    rollouts: Sequence[Rollout], failure: Failure, spared: Sequence[str] = ()
) -> tuple[str, dict[str, Any]]:
    """The sentence and the evidence of restored traffic: the stable versions by stage and function.

    `spared` are aliases that somebody else has moved, and that were left where they are.
    """
    names = {rollout.stage: {f.logical_id: f.stable for f in rollout.functions} for rollout in rollouts}
    restored = sum(len(found) for found in names.values()) - len(spared)
    left = f", left {list_names(list(spared))} where somebody else moved them" if spared else ""
    what = f"restored {restored} aliases{left}; {failure.reason}" if rollouts else failure.reason
    evidence = {"restored": restored, "stable": names, "failure": failure.model_dump()}
    return what, evidence | ({"spared": list(spared)} if spared else {})
