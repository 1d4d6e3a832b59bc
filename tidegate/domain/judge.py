"""The judge: from samples of both versions and a policy to a verdict with its reason and its evidence.

It compares the canary with the stable version over the same minutes, never with a bare threshold, so that a
failing downstream which hurts both is not held against the canary. The evidence is an e-value, the mean over
several risk ratios r of  r^k_c / (1 + v (r - 1))^k , where k_c of k failed requests fell on the canary, which
got the share v of the requests. Under the null hypothesis (a failure does not depend on the version) its mean
is at most 1 (Hoeffding 1963), so it exceeds 1/a with a probability of at most a (Markov; Ville 1939 for
repeated looks).
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Final

from pydantic import Field

from tidegate.domain.identity import Frozen

RISK_RATIOS: Final = (1.5, 3.0, 8.0, 30.0, 200.0)
FALSE_ROLLBACK: Final = 0.01  # the probability of a false rollback that a whole release may have
SUSPICION: Final = 3.0  # evidence from which on nothing advances
SHARE_FROM: Final = 50  # requests from which on the realised share is better than the nominal one


class Status(StrEnum):
    """What the judge says."""

    ADVANCE = "advance"
    HOLD = "hold"
    ROLLBACK = "rollback"


class Counts(Frozen):
    """Requests that started in the window, and how many of them failed."""

    requests: int = Field(ge=0)
    failed: int = Field(ge=0)

    @property
    def text(self) -> str:
        """`failed 9 of 140 requests`."""
        return f"failed {min(self.failed, self.requests):,} of {self.requests:,} requests"


class Sample(Frozen):
    """One function's requests under one weight, by version; `throttles` belong to both."""

    function: str
    stable: Counts
    canary: Counts
    throttles: int = 0


class Policy(Frozen):
    """What a verdict needs. `looks` is how often a release asks the judge, over all functions and weights."""

    minimum_invocations: int = Field(ge=1)
    looks: int = Field(1, ge=1)

    @property
    def threshold(self) -> float:
        """The evidence for a rollback; the probability of a false one is shared by all looks (Bonferroni)."""
        return self.looks / FALSE_ROLLBACK


class Verdict(Frozen):
    """A status, a reason that an operator understands, and the numbers behind it."""

    status: Status
    reason: str
    evidence: tuple[Sample, ...]
    strength: float = Field(description="the evidence against the canary, e : 1")
    threshold: float


def measure_evidence(sample: Sample, weight: int) -> float:
    """The e-value against the canary; 1 where a version got no request or nothing failed."""
    requests = sample.stable.requests + sample.canary.requests
    failed_canary = min(sample.canary.failed, sample.canary.requests)
    failed = failed_canary + min(sample.stable.failed, sample.stable.requests)
    if not sample.stable.requests or not sample.canary.requests:
        return 1.0
    share = sample.canary.requests / requests if requests >= SHARE_FROM else weight / 100
    logs = [failed_canary * math.log(r) - failed * math.log1p(share * (r - 1)) for r in RISK_RATIOS]
    top = max(logs)
    return math.exp(min(top, 700.0)) * sum(math.exp(log - top) for log in logs) / len(logs)


def judge(samples: tuple[Sample, ...], weight: int, policy: Policy) -> Verdict:
    """The verdict over all functions that shift together, at one weight in percent (1 to 99).

    The worst function decides: one bad function turns back all of them, and all must have had enough
    requests before any advances. Throttles hold, since a starved canary looks perfect.
    """
    strengths = {sample.function: measure_evidence(sample, weight) for sample in samples}
    worst = max(samples, key=lambda sample: strengths[sample.function])
    strength = strengths[worst.function]

    def give(status: Status, reason: str) -> Verdict:
        return Verdict(
            status=status, reason=reason, evidence=samples, strength=strength, threshold=policy.threshold
        )

    if strength >= policy.threshold:
        return give(Status.ROLLBACK, describe(worst, strength, policy))
    if strength >= SUSPICION:
        return give(Status.HOLD, f"suspicion: {describe(worst, strength, policy)}")
    throttled = [sample.function for sample in samples if sample.throttles]
    if throttled:
        return give(Status.HOLD, f"throttled: {', '.join(throttled)}; a starved canary looks perfect")
    short = [sample for sample in samples if is_short(sample, weight, policy)]
    if short:
        first = short[0]
        reason = (
            f"not enough evidence: {first.function} had {first.canary.requests} canary and "
            f"{first.stable.requests} stable requests, {policy.minimum_invocations} needed"
        )
        return give(Status.HOLD, reason)
    return give(Status.ADVANCE, describe(worst, strength, policy))


def is_short(sample: Sample, weight: int, policy: Policy) -> bool:
    """Whether a version got too few requests; the stable one needs its share of the minimum only."""
    stable_floor = min(policy.minimum_invocations, policy.minimum_invocations * (100 - weight) / weight)
    return sample.canary.requests < policy.minimum_invocations or sample.stable.requests < math.ceil(
        stable_floor
    )


def describe(sample: Sample, strength: float, policy: Policy) -> str:
    """The sentence for the operator."""
    return (
        f"{sample.function}: canary {sample.canary.text}, stable {sample.stable.text} in the same minutes; "
        f"evidence {strength:,.3g} : 1 against threshold {policy.threshold:,.0f} : 1"
    )
