"""From the state to a verdict: what is wrong first, then what is missing, then what is next."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from tidegate.domain.signals import Mode, Signal
from tidegate.domain.wording import list_names

from . import evidence, ramp, sentences
from .findings import find, lacks
from .verdicts import FunctionEvidence, Status, Verdict

if TYPE_CHECKING:
    from .policy import Moment, Policy
    from .state import State

SUSPICION: Final = 3.0  # evidence, to one, from which on nothing advances


def decide(state: State, policy: Policy, moment: Moment) -> Verdict:
    """The verdict over all functions of a rollout at one moment. Pure: the state is not changed.

    Whoever carries out a RAMP or a lowered weight tells the state by `shift`.
    """
    look = _Look(state, policy, moment)
    if look.strength >= policy.threshold or look.beyond_limit or moment.broken:
        return look.say(Status.ROLLBACK, look.tell_rollback())
    if not look.missing and look.obstacle is None:
        return look.say(Status.PROMOTE, f"{look.describe()}; {sentences.tell_excluded(look.found)}")
    if look.is_overdue:
        return look.give_up()
    if look.obstacle is not None:
        return look.say(*look.obstacle, weight=ramp.lower(state, policy) if look.suspects else None)
    weight = ramp.propose(state, policy, moment.delay)
    if weight is None:
        return look.say(Status.HOLD, f"not enough yet: {look.missing[0]}")
    return look.say(Status.RAMP, f"{look.describe()}; next weight {weight:.2%}", weight=weight)


class _Look:
    """What a decision is made from, worked out once."""

    def __init__(self, state: State, policy: Policy, moment: Moment) -> None:
        self.state, self.policy, self.moment = state, policy, moment
        self.found = [
            find(name, progress, policy, len(state.functions)) for name, progress in state.functions.items()
        ]
        self.strength = evidence.pool([each.total for each in self.found])
        self.suspicion = SUSPICION * math.sqrt(len(self.found))
        self.suspects = [each for each in self.found if self._is_suspect(each)]
        self.worst = max(self.suspects or self.found, key=self._badness)
        self.obstacle = self._find_obstacle()
        self.missing = self._find_missing()

    def _badness(self, found: FunctionEvidence) -> float:
        held = [found.signals[signal] for signal in Signal if self.policy.mode(signal) is Mode.HOLD]
        return max(found.total, *held) if held else found.total

    def _is_suspect(self, found: FunctionEvidence) -> bool:
        return self._badness(found) >= self.suspicion or (
            self.strength >= SUSPICION and found.total >= self.strength
        )

    @property
    def beyond_limit(self) -> list[FunctionEvidence]:
        """The functions whose canary failed as often as the operator's own limit says."""
        limit = self.policy.failure_limit
        return [each for each in self.found if limit is not None and each.canary.failed >= limit]

    def tell_rollback(self) -> str:
        """The evidence; where it was the operator's limit alone, that."""
        if self.strength >= self.policy.threshold:
            return self.describe()
        if self.moment.broken:
            return f"the operator's limit, whatever the evidence: {'; '.join(self.moment.broken)}"
        each = max(self.beyond_limit, key=lambda found: found.canary.failed)
        counts = sentences.describe(each, self.state.functions[each.function], self.policy, Signal.ERRORS)
        return f"{counts}; the operator's limit is {self.policy.failure_limit}, whatever the evidence"

    @property
    def is_overdue(self) -> bool:
        """Whether the longest hold has passed since the first shift."""
        begun = self.state.begun
        return (
            begun is not None
            and self.state.weight < ramp.ALL
            and self.moment.now - begun >= self.policy.longest_hold
        )

    def _find_obstacle(self) -> tuple[Status, str] | None:
        """What holds, the gravest first, and its sentence."""
        failing = [each for each in self.found if each.downstream]
        if failing:
            each = max(failing, key=lambda found: found.stable.failed)
            return Status.HOLD_DOWNSTREAM, (
                f"{list_names([one.function for one in failing])}: the stable version fails more than its "
                f"usual {each.usual_error_rate:.2%}, so something that both versions need is failing; "
                f"{self.describe()}"
            )
        if self.suspects:
            return Status.HOLD_SUSPICIOUS, f"suspicion: {self.describe()}"
        if self.moment.holds:
            return Status.HOLD_SHARED, "; ".join(self.moment.holds)
        return None

    def _find_missing(self) -> list[str]:
        """What a promotion still needs, over the rollout and then by function."""
        state, policy = self.state, self.policy
        if state.weight >= ramp.ALL:
            return ["all requests go to the canary: nothing to compare it with"]
        missing = [
            f"{each.function}: {text}"
            for each in self.found
            for text in lacks(each, state.functions[each.function], policy)
        ]
        if state.begun is None or state.weight < policy.top * (1 - ramp.NEAR):
            missing.append(f"the weight is {state.weight:.2%} of at most {policy.top:.0%}")
        elif self.moment.now - state.begun < policy.least_seconds:
            missing.append(f"{policy.least_seconds:g} seconds under canary")
        return missing

    def give_up(self) -> Verdict:
        """The longest hold has passed: what is excluded, and what is missing."""
        silent = [each.function for each in self.found if not each.canary.requests]
        parts = [f"not enough evidence after {self.policy.longest_hold:g} seconds"]
        if self.obstacle is not None:
            parts.append(self.obstacle[1])
        if silent:
            parts.append(f"no canary requests of {list_names(silent)}")
        else:
            parts += [sentences.tell_excluded(self.found), *self.missing[:1]]
        status = Status.INSUFFICIENT_EVIDENCE
        held = None if self.obstacle is None else self.obstacle[0]
        return self.say(status, "; ".join(parts), obstacle=held)

    def describe(self) -> str:
        """The worst function's counts, and the evidence over all."""
        policy, worst = self.policy, self.worst
        counts = sentences.describe(worst, self.state.functions[worst.function], policy)
        return f"{counts}; {sentences.weigh(self.strength, policy.threshold, len(self.found))}"

    def say(
        self, status: Status, reason: str, *, weight: float | None = None, obstacle: Status | None = None
    ) -> Verdict:
        """The verdict with its numbers."""
        return Verdict(
            status=status,
            reason=reason,
            weight=weight,
            strength=self.strength,
            threshold=self.policy.threshold,
            worst=self.worst.function,
            obstacle=obstacle,
            functions=tuple(self.found),
            duplicates=self.state.duplicates,
            late=self.state.late,
        )
