"""One function's state turned into the numbers of a verdict."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tidegate.domain.signals import Mode, Signal

from . import evidence, promotion
from .arms import QUANTILES
from .evidence import MOST
from .verdicts import FunctionEvidence

if TYPE_CHECKING:
    from tidegate.domain.batches import Arm

    from .policy import Policy
    from .promotion import Promotion
    from .state import Progress

FLOOR = 0.1  # the margin that users' requests alone must exclude before probes count


def find(name: str, found: Progress, policy: Policy, among: int) -> FunctionEvidence:
    """The numbers of one function `among` so many."""
    signals = {signal: evidence.weigh(found.evidence.get(signal), late=policy.late) for signal in Signal}
    scores = {
        signal: join(found.promotion[signal], found.probed[signal], policy) for signal in found.promotion
    }
    margins = {Signal.ERRORS: policy.margin, Signal.LATENCY: policy.slow_margin}
    arms = (found.stable, found.canary)
    return FunctionEvidence.model_construct(
        function=name,
        stable=found.stable,
        canary=found.canary,
        probed_stable=found.probed_stable,
        probed_canary=found.probed_canary,
        judged=found.judged,
        signals=signals,
        total=evidence.combine(signals, policy),
        promotion={
            signal: math.exp(min(scores[signal].get(margins[signal], 0.0), MOST)) for signal in scores
        },
        excluded={signal: promotion.find_excluded(scores[signal], policy.beta) for signal in scores},
        rate=found.traffic.rate,
        cold_share=(_share(arms[0]), _share(arms[1])),
        mean_init=(_init(arms[0]), _init(arms[1])),
        usual_error_rate=found.downstream.usual,
        downstream=found.downstream.is_alarmed(among),
    )


def join(users: Promotion, probes: Promotion, policy: Policy) -> dict[float, float]:
    """The scores by margin, of users' requests and, where these alone exclude 10 points, of probes too.

    The product of both is a score as each is: probes are other requests.
    """
    if users.scores[FLOOR] < -math.log(policy.beta):
        return users.scores
    return {margin: score + probes.scores.get(margin, 0.0) for margin, score in users.scores.items()}


def lacks(found: FunctionEvidence, progress: Progress, policy: Policy) -> list[str]:
    """What a promotion of this function still needs, in words; empty where nothing."""
    missing = []
    if found.judged < policy.minimum:
        missing.append(f"{found.judged:,} of at least {policy.minimum:,} canary requests")
    for signal, kind in ((Signal.ERRORS, "failures"), (Signal.LATENCY, "slow requests")):
        margin = policy.margin if signal is Signal.ERRORS else policy.slow_margin
        if is_needed(signal, progress, policy) and found.promotion[signal] < 1 / policy.beta:
            so_far = f"{found.promotion[signal]:,.3g} : 1 of {1 / policy.beta:,.0f} : 1"
            missing.append(f"evidence against {margin:.1%} more {kind} is {so_far}")
    return missing


def is_needed(signal: Signal, progress: Progress, policy: Policy) -> bool:
    """Whether a promotion needs this signal: it may act, and the source can tell it."""
    if policy.mode(signal) is Mode.OBSERVE:
        return False
    arms = (progress.stable, progress.canary)
    return signal is Signal.ERRORS or any(arm.warm and len(arm.slow) == len(QUANTILES) for arm in arms)


def _share(arm: Arm) -> float | None:
    return arm.cold / arm.requests if arm.requests else None


def _init(arm: Arm) -> float | None:
    return arm.init / arm.cold if arm.cold else None
