"""The next weight: exposure grows only with what has been judged.

While a weight is in force, about  rate x delay x weight  canary requests are under way before any of them can
be judged; that many a bad version can fail. They may be `seed` at first, and `growth - 1` for each that is
judged.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .policy import Policy
    from .state import Progress, State

STEP: Final = 1.5  # a weight is changed for at least this factor
LOWERED: Final = 0.3  # of the greatest weight, while there is suspicion
ALL: Final = 1.0
NEAR: Final = 1e-9


def find_weight(state: State, policy: Policy, delay: float) -> float:
    """The greatest weight (0 to 1) that every function's own ramp allows."""
    return _round(min(find_own_weight(found, policy, delay) for found in state.functions.values()))


def find_own_weight(found: Progress, policy: Policy, delay: float) -> float:
    """One function's; the least weight as long as nothing is known of its traffic."""
    judged = found.judged
    greatest = policy.top if judged >= policy.seed else min(policy.first, policy.top)
    rate = found.traffic.rate
    if rate is None:
        return min(policy.bottom, greatest)
    exposed = policy.seed + (policy.growth - 1) * judged
    free = exposed / (rate * delay) if rate > 0 else math.inf
    return min(max(free, policy.bottom), greatest)


def _round(weight: float) -> float:
    """Three digits, which people read and every format keeps."""
    return float(f"{weight:.3g}")


def propose(state: State, policy: Policy, delay: float) -> float | None:
    """The next weight where it is worth a change: the first, the top one, or one that is well above."""
    if state.weight >= ALL:
        return None
    weight = find_weight(state, policy, delay)
    if weight >= state.weight * STEP * (1 - NEAR):
        return weight
    if weight >= policy.top * (1 - NEAR) and weight > state.weight * (1 + NEAR):
        return weight
    return None


def lower(state: State, policy: Policy) -> float | None:
    """The weight under suspicion; None where the present one is as low."""
    if state.weight >= ALL:
        return None
    weight = _round(max(LOWERED * state.peak, policy.bottom))
    return weight if weight < state.weight * (1 - NEAR) else None
