"""What the judge is given: requests that started under one weight, by version, each counted once.

A batch is closed: no request of it is still on its way but such as come late, and those come as a batch of
their own. Whoever makes batches sees to it that none mixes two weights.
"""

from __future__ import annotations

from typing import Final

from pydantic import Field

from tidegate.domain.identity import Frozen

# Milliseconds of init that cold starts are compared at. No metric of Lambda's tells how long inits used to
# take, so these stand for every function; each is twice the one before, so that a version which takes twice
# as long to start crosses one.
INITS: Final = (100.0, 200.0, 400.0, 800.0, 1600.0, 3200.0, 6400.0, 12_800.0)


class Arm(Frozen):
    """One version's requests; an attempt that Lambda makes again is a request of its own.

    `slow` and `costly` count the warm requests above each of the release's thresholds (ascending: the
    historic q75, q90, q95 and q99 of duration and of billed GB-ms); empty where the source cannot tell.
    A request with an Init Duration is cold and in neither; its init is judged apart, among cold ones. Nor is
    one of the first of its environment.
    """

    requests: int = Field(0, ge=0)
    failed: int = Field(
        0, ge=0, description="the invocation erred, timed out, or its log holds a failure mark"
    )
    timed_out: int = Field(0, ge=0)
    warm: int = Field(
        0, ge=0, description="requests whose duration is known and is not that of a fresh environment"
    )
    slow: tuple[int, ...] = ()
    costly: tuple[int, ...] = ()
    cold: int = Field(0, ge=0, description="requests with an Init Duration")
    init: float = Field(0, ge=0, description="sum of the Init Durations, in milliseconds")
    slow_inits: tuple[int, ...] = Field((), description="the cold ones above each of INITS, if any")
    billed: float = Field(0, ge=0, description="sum over all requests, in GB-milliseconds")


class Batch(Frozen):
    """One function's requests of one short span; `key` is unique in a rollout, so that none counts twice."""

    key: str
    function: str = Field(description="the function's logical id")
    at: float = Field(description="when the span begins, in seconds since 1970")
    seconds: float = Field(gt=0, description="how long the span is")
    weight: float = Field(ge=0, le=1, description="the share of requests that the alias gave to the canary")
    stable: Arm
    canary: Arm
    probe: bool = Field(
        default=False,
        description="direct invocations of both versions with an event declared safe, no user's requests",
    )


class Observation(Frozen):
    """What a source of batches has at one look.

    `delay` is the measured time in seconds from a request's start to when it can be read, which the ramp is
    paced by.
    """

    batches: tuple[Batch, ...]
    source: str = Field(description="`telemetry` or `metrics`")
    delay: float = Field(gt=0)
