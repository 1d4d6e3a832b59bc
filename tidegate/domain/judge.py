"""One comparison of two versions, at one moment: what a diagnosis needs. The judge itself is judging/.

It compares the canary with the stable version over the same minutes, never with a bare threshold, so that a
failing downstream which hurts both is not held against the canary. The evidence is an e-value, the mean over
several risk ratios r of  r^k_c / (1 + v (r - 1))^k , where k_c of k failed requests fell on the canary, which
got the share v of the requests. Under the null hypothesis (a failure does not depend on the version) its mean
is at most 1 (Hoeffding 1963), so it exceeds 1/a with a probability of at most a (Markov; Ville 1939 for
repeated looks).
"""

from __future__ import annotations

import math
from typing import Final

from pydantic import Field

from tidegate.domain.identity import Frozen

RISK_RATIOS: Final = (1.5, 3.0, 8.0, 30.0, 200.0)
SUSPICION: Final = 3.0  # evidence from which on nothing advances
SHARE_FROM: Final = 50  # requests from which on the realised share is better than the nominal one


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


def measure_evidence(sample: Sample, weight: float) -> float:
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
