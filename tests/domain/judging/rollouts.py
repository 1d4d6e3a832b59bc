"""Batches and simulated rollouts for the tests of the judge."""

from __future__ import annotations

from tidegate.domain.batches import Arm, Batch


def batch(
    *,
    canary: tuple[int, int],
    stable: tuple[int, int],
    weight: float,
    key: str = "k",
    at: float = 1000.0,
    function: str = "F",
) -> Batch:
    """A batch of five seconds; arms are (failed, requests), as people say it."""
    return Batch(
        key=key,
        function=function,
        at=at,
        seconds=5,
        weight=weight,
        stable=Arm(failed=stable[0], requests=stable[1]),
        canary=Arm(failed=canary[0], requests=canary[1]),
    )
