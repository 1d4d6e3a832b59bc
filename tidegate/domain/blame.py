"""Who is to blame for an alarm, by the numbers of both versions. Pure; in doubt it is the new version."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from pydantic import Field

from tidegate.domain.identity import Frozen
from tidegate.domain.odds import compare

ENOUGH: Final = 3.0  # evidence from which on the new version is taken for the worse one


class Suspicion(StrEnum):
    """Whose failure it is."""

    NEW = "new"
    BOTH = "both"
    STABLE = "stable"


class Tally(Frozen):
    """Requests of one version, and how many of them failed."""

    requests: int = Field(ge=0)
    failed: int = Field(ge=0)

    @property
    def rate(self) -> float:
        """Failed requests in percent."""
        return 100 * self.failed / self.requests if self.requests else 0.0

    @property
    def text(self) -> str:
        """`failed 9 of 140 requests`."""
        return f"failed {self.failed:,} of {self.requests:,} requests"


class Pair(Frozen):
    """Both versions."""

    stable: Tally
    canary: Tally


class Tail(Frozen):
    """The p99 of both versions' durations in milliseconds; None where nothing can be read."""

    stable: float | None
    canary: float | None


def weigh(pair: Pair) -> tuple[Suspicion, str]:
    """Two versions that served in the same minutes."""
    stable, canary = pair.stable, pair.canary
    strength = measure(pair)
    counts = f"canary {canary.text}, stable {stable.text}, evidence {strength:,.3g} : 1"
    if strength >= ENOUGH:
        return Suspicion.NEW, f"the new version: {counts}"
    if not stable.failed and not canary.failed:
        return Suspicion.NEW, f"no failure can be read yet, so going back is the safe side: {counts}"
    if not stable.failed:
        return Suspicion.NEW, f"the new version alone fails: {counts}"
    if not canary.failed:
        return Suspicion.STABLE, f"the stable version alone fails: {counts}"
    return Suspicion.BOTH, f"both versions alike, perhaps a downstream: {counts}"


def weigh_tail(tail: Tail, limit: float) -> tuple[Suspicion, str]:
    """The same for an alarm on the duration, whose limit is in milliseconds."""
    if tail.canary is None or tail.stable is None:
        return Suspicion.NEW, "no duration of both versions can be read, so going back is the safe side"
    said = f"p99 canary {tail.canary:,.0f} ms, stable {tail.stable:,.0f} ms, limit {limit:,.0f} ms"
    if tail.canary < limit <= tail.stable:
        return Suspicion.STABLE, f"the stable version alone is slow: {said}"
    if tail.stable >= limit:
        return Suspicion.BOTH, f"both versions alike, perhaps a downstream: {said}"
    return Suspicion.NEW, f"the new version: {said}"


def weigh_history(pair: Pair, limit: float) -> tuple[Suspicion, str]:
    """The new version after its promotion against the stable one before; `limit` in percent of failures.

    Only a stable version that failed as much as the alarm forbids, and no less than the new one, clears it.
    """
    said = f"the new version {pair.canary.text}, the stable one {pair.stable.text} before the release"
    no_better = pair.stable.requests > 0 and pair.stable.rate >= max(limit, pair.canary.rate)
    if no_better and pair.canary.requests:
        return Suspicion.BOTH, f"the stable version was no better: {said}"
    return Suspicion.NEW, f"after the promotion: {said}"


def measure(pair: Pair) -> float:
    """The evidence that the new version fails more than the stable one, e : 1."""
    stable, canary = pair.stable, pair.canary
    return compare((stable.requests, stable.failed), (canary.requests, canary.failed))
