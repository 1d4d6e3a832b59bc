"""What the judge says: a status, a sentence, and the numbers that it rests on."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from tidegate.domain.batches import Arm
from tidegate.domain.identity import Frozen
from tidegate.domain.signals import Signal


class Status(StrEnum):
    """Each asks for something else; HOLD means that nothing is wrong and more requests are needed."""

    ROLLBACK = "rollback"
    RAMP = "ramp"
    HOLD = "hold"
    HOLD_SUSPICIOUS = "hold_suspicious"
    HOLD_DOWNSTREAM = "hold_downstream"
    HOLD_SHARED = "hold_shared"
    INSUFFICIENT_EVIDENCE = "insufficient_evidence"
    PROMOTE = "promote"


class FunctionEvidence(Frozen):
    """One function's numbers. Evidence is to one; a margin is a share of requests (0.005 is 0.5 points)."""

    function: str
    stable: Arm
    canary: Arm
    probed_stable: Arm
    probed_canary: Arm
    judged: int = Field(description="users' canary requests that are in the evidence; the last few wait")
    signals: dict[Signal, float] = Field(description="evidence against the canary by signal")
    total: float = Field(description="the same over the enforced signals")
    promotion: dict[Signal, float] = Field(
        description="evidence against errors (and slow requests) being worse by the policy's margin"
    )
    excluded: dict[Signal, float | None] = Field(description="the smallest margin that the data excludes")
    rate: float | None = Field(description="requests a second, both versions together")
    cold_share: tuple[float | None, float | None] = Field(description="of stable and of canary requests")
    mean_init: tuple[float | None, float | None] = Field(description="milliseconds a cold start, by version")
    usual_error_rate: float = Field(description="of the stable version in calm times")
    downstream: bool = Field(description="whether the stable version fails more than that")


class Verdict(Frozen):
    """`strength` against `threshold` is over all functions; `weight` is the next one, where it changes.

    `obstacle` is what else held when evidence did not suffice in time: where it is set, a policy that
    promotes without evidence must not.
    """

    status: Status
    reason: str
    weight: float | None = Field(None, ge=0, le=1)
    strength: float
    threshold: float
    worst: str = Field(description="the function with the strongest evidence against it")
    obstacle: Status | None = None
    functions: tuple[FunctionEvidence, ...]
    duplicates: int = 0
    late: int = 0
