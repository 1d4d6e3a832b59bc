"""The sentences of verdicts, for operators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.domain.batches import INITS
from tidegate.domain.signals import Mode, Signal
from tidegate.domain.wording import list_names

from . import evidence
from .arms import QUANTILES, count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tidegate.domain.batches import Arm

    from .policy import Policy
    from .state import Progress
    from .verdicts import FunctionEvidence

ENDLESS = 1_000_000  # evidence beyond it is told as this
DONE = {
    Signal.ERRORS: "failed {} requests",
    Signal.TIMEOUTS: "timed out in {} requests",
    Signal.LATENCY: "was slower than the historic {quantile} and its allowance in {} warm requests",
    Signal.COST: "was billed more than the historic {quantile} in {} warm requests",
    Signal.INIT: "took more than {quantile} and its allowance to start in {} cold starts",
}


def describe(
    worst: FunctionEvidence, progress: Progress, policy: Policy, signal: Signal | None = None
) -> str:
    """`PlaceOrder: canary failed 9 of 140 requests, stable 3 of 2,610 in the same minutes`."""
    signal = signal or find_loudest(worst, policy)
    at = _find_threshold(progress, signal)
    canary, stable = _ratio(worst.canary, signal, at), _ratio(worst.stable, signal, at)
    done = DONE[signal].format(canary, quantile=_name_threshold(progress, signal, at))
    text = f"{worst.function}: canary {done}, stable {stable} in the same minutes"
    if worst.probed_canary.requests:
        probes = _ratio(worst.probed_canary, signal, at), _ratio(worst.probed_stable, signal, at)
        text += f" (probes: {probes[0]}, stable {probes[1]})"
    return text


def find_loudest(found: FunctionEvidence, policy: Policy) -> Signal:
    """The signal that adds most to the evidence; errors where none does."""
    shares = evidence.signal_shares(policy)

    def weigh_signal(signal: Signal) -> float:
        against = max(0.0, found.signals[signal] - 1)
        return against * (1.0 if policy.mode(signal) is Mode.HOLD else shares.get(signal, 0.0))

    return max(Signal, key=weigh_signal)


def _name_threshold(progress: Progress, signal: Signal, at: int) -> str:
    if signal is Signal.INIT:
        return f"{INITS[at]:g} ms"
    found = progress.evidence.get(signal)
    known = found is not None and len(found.steady) == len(QUANTILES)
    return QUANTILES[at] if known else f"threshold {at + 1}"


def _find_threshold(progress: Progress, signal: Signal) -> int:
    found = progress.evidence.get(signal)
    if found is None:
        return 0
    strengths = evidence.weigh_thresholds(found)
    return strengths.index(max(strengths))


def _ratio(arm: Arm, signal: Signal, at: int) -> str:
    requests, marks = count(arm, signal)
    return f"{marks[at] if at < len(marks) else 0:,} of {requests:,}"


def weigh(strength: float, threshold: float, functions: int) -> str:
    """`evidence 412 : 1 against threshold 100 : 1`."""
    over = f" over {functions:,} functions" if functions > 1 else ""
    return f"evidence {tell(strength)} : 1{over} against threshold {tell(threshold)} : 1"


def tell(number: float) -> str:
    """A number that people read: 0.3, 41.5, 412, over 1,000,000."""
    if number > ENDLESS:
        return f"over {ENDLESS:,}"
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"  # noqa: PLR2004


def tell_excluded(found: Sequence[FunctionEvidence]) -> str:
    """The smallest additional failure rate that the data excludes for every function."""
    margins = [each.excluded[Signal.ERRORS] for each in found]
    if None in margins:
        open_ones = [each.function for each in found if each.excluded[Signal.ERRORS] is None]
        return f"no additional failure rate is excluded for {list_names(open_ones)}"
    return f"more than {max(margin or 0.0 for margin in margins):.1%} additional failures are excluded"
