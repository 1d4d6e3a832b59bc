"""The rule of who is to blame for an alarm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.blame import (
    ENOUGH,
    Pair,
    Suspicion,
    Tail,
    Tally,
    measure,
    weigh,
    weigh_history,
    weigh_tail,
)


def pair(stable: tuple[int, int], canary: tuple[int, int]) -> Pair:
    """Failed of requests, for each version."""
    return Pair(
        stable=Tally(failed=stable[0], requests=stable[1]), canary=Tally(failed=canary[0], requests=canary[1])
    )


@pytest.mark.parametrize(
    ("found", "suspicion", "said"),
    [
        (pair((0, 90), (6, 10)), Suspicion.NEW, "the new version: canary failed 6 of 10 requests"),
        (pair((0, 90), (1, 10)), Suspicion.NEW, "the new version"),
        (pair((45, 90), (5, 10)), Suspicion.BOTH, "both versions alike, perhaps a downstream"),
        (pair((9, 90), (0, 10)), Suspicion.STABLE, "the stable version alone fails"),
        (pair((9, 90), (0, 0)), Suspicion.STABLE, "the stable version alone fails"),
        (pair((0, 0), (0, 0)), Suspicion.NEW, "no failure can be read yet, so going back is the safe side"),
        (pair((0, 0), (3, 10)), Suspicion.NEW, "the new version alone fails"),
    ],
)
def test_below_the_promotion_both_are_compared(found: Pair, suspicion: Suspicion, said: str) -> None:
    verdict, reason = weigh(found)
    assert verdict is suspicion
    assert reason.startswith(said)


tallies = st.integers(0, 5000).flatmap(
    lambda requests: st.builds(Tally, requests=st.just(requests), failed=st.integers(0, requests))
)


@given(tallies, tallies)
def test_whoever_fails_alone_is_to_blame_and_doubt_turns_back(stable: Tally, canary: Tally) -> None:
    verdict, _ = weigh(Pair(stable=stable, canary=canary))
    if not stable.failed:
        assert verdict is Suspicion.NEW
    if stable.failed and not canary.failed:
        assert verdict is Suspicion.STABLE
    if verdict is Suspicion.BOTH:
        assert measure(Pair(stable=stable, canary=canary)) < ENOUGH


def test_evidence_by_value() -> None:
    assert measure(pair((0, 0), (9, 9))) == measure(pair((3, 30), (0, 0))) == 1
    each = [r**2 / (1 + 0.25 * (r - 1)) ** 3 for r in (1.5, 3, 8, 30, 200)]
    assert measure(pair((1, 30), (2, 10))) == pytest.approx(sum(each) / 5)
    assert measure(pair((0, 10**6), (10**6, 10**6))) > 1e300


@pytest.mark.parametrize(
    ("tail", "suspicion"),
    [
        (Tail(stable=80, canary=4000), Suspicion.NEW),
        (Tail(stable=4000, canary=4100), Suspicion.BOTH),
        (Tail(stable=4000, canary=80), Suspicion.STABLE),
        (Tail(stable=80, canary=None), Suspicion.NEW),
        (Tail(stable=80, canary=90), Suspicion.NEW),
    ],
)
def test_slow_versions_are_compared_by_their_tails(tail: Tail, suspicion: Suspicion) -> None:
    assert weigh_tail(tail, 3000)[0] is suspicion


@pytest.mark.parametrize(
    ("found", "suspicion"),
    [
        (pair((30, 100), (25, 100)), Suspicion.BOTH),
        (pair((30, 100), (60, 100)), Suspicion.NEW),
        (pair((1, 100), (1, 100)), Suspicion.NEW),
        (pair((0, 0), (25, 100)), Suspicion.NEW),
        (pair((30, 100), (0, 0)), Suspicion.NEW),
    ],
)
def test_after_the_promotion_only_a_stable_version_that_was_no_better_clears_the_new(
    found: Pair, suspicion: Suspicion
) -> None:
    assert weigh_history(found, 5.0)[0] is suspicion
