"""The statistical judge: pure functions from batches of requests to a verdict with its evidence.

    state = begin(["PlaceOrder"])
    verdict = decide(state, policy, Moment(now=now, delay=20))      # RAMP to a first weight
    state = shift(state, verdict.weight, now)                       # the alias was written
    state = observe(state, batches, policy)                         # each batch counts once
    verdict = decide(state, policy, Moment(now=later, delay=20))    # ROLLBACK, RAMP, HOLD..., PROMOTE

arms and policy are values; evidence (rollback), promotion, downstream and ramp are the method; state and
observation keep what was seen; findings, sentences, verdicts and judge make the verdict of it. Nothing here
may know AWS, a clock or a random number, or import more than pydantic and the standard library.
"""

from __future__ import annotations

from tidegate.domain.signals import Mode, Signal

from .judge import decide
from .observation import MixedWeights, is_under_one_weight, observe
from .policy import History, Moment, Policy
from .state import State, begin, forget, shift
from .verdicts import FunctionEvidence, Status, Verdict

__all__ = [
    "FunctionEvidence",
    "History",
    "MixedWeights",
    "Mode",
    "Moment",
    "Policy",
    "Signal",
    "State",
    "Status",
    "Verdict",
    "begin",
    "decide",
    "forget",
    "is_under_one_weight",
    "observe",
    "shift",
]
