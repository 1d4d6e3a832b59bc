"""Evidence against the canary: its proof obligations, exact where that is possible.

scipy is the oracle: it knows the hypergeometric distribution that the proof stands on, and the binomial one.
"""

from __future__ import annotations

import math
import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, hypergeom

from tests.domain.judging.rollouts import draw
from tidegate.domain.batches import INITS, Arm
from tidegate.domain.judging import Mode, Policy, Signal
from tidegate.domain.judging.evidence import (
    SLOWDOWNS,
    Evidence,
    combine,
    fold,
    pool,
    signal_shares,
    weigh,
)
from tidegate.domain.odds import RISKS, factor

RATIOS = sorted({*RISKS, *SLOWDOWNS})
arms = st.integers(0, 400).flatmap(
    lambda n: st.builds(lambda k: Arm(requests=n, failed=k), st.integers(0, n))
)
pairs = st.tuples(arms, arms)


def against(*blocks: tuple[Arm, Arm], late: bool = False) -> float:
    found = Evidence()
    for block in blocks:
        found = fold(found, block, Signal.ERRORS, late=late)
    return weigh(found, late=late)


def block(canary: tuple[int, int], stable: tuple[int, int]) -> tuple[Arm, Arm]:
    return Arm(failed=stable[0], requests=stable[1]), Arm(failed=canary[0], requests=canary[1])


@pytest.mark.parametrize("requests", range(2, 25))
def test_its_mean_is_at_most_one_whatever_is_marked(requests: int) -> None:
    for canary in range(1, requests):
        for marked in range(1, requests + 1):
            law = hypergeom(requests, marked, canary)
            hits = range(max(0, canary + marked - requests), min(canary, marked) + 1)
            weights = [(k, float(law.pmf(k))) for k in hits]
            for ratio in RATIOS:
                mean = sum(
                    weight * math.exp(factor(k, marked, canary / requests, ratio)) for k, weight in weights
                )
                assert mean <= 1 + 1e-9, (requests, canary, marked, ratio)


@pytest.mark.parametrize("late", [False, True])
def test_its_mean_over_two_blocks_is_at_most_one(late: bool) -> None:
    """The whole of it, mixture and restarts, over every outcome of two blocks."""
    law = [(k, float(hypergeom(12, 5, 4).pmf(k))) for k in range(5)]
    mean = sum(
        p * q * against(block((k, 4), (5 - k, 8)), block((j, 4), (5 - j, 8)), late=late)
        for k, p in law
        for j, q in law
    )
    assert mean <= 1 + 1e-9


def test_with_a_nominal_weight_it_would_not_be() -> None:
    """Why the realised share: blocks of one version alone are left out, and the rest are not a fair sample."""
    requests, weight, ratio = 5, 0.1, 200.0
    mean = 0.0
    for canary in range(requests + 1):
        chance = float(binom(requests, weight).pmf(canary))
        one_arm = canary in {0, requests}
        for k in (0, 1):
            law = float(hypergeom(requests, 1, canary).pmf(k))
            mean += chance * law * (1 if one_arm else math.exp(factor(k, 1, weight, ratio)))
    assert mean > 1.5


@given(pairs)
def test_one_more_canary_failure_never_lowers_it(found: tuple[Arm, Arm]) -> None:
    stable, canary = found
    if canary.failed < canary.requests:
        more = canary.model_copy(update={"failed": canary.failed + 1})
        assert against((stable, more)) >= against(found) * (1 - 1e-9)


@given(pairs)
def test_one_more_stable_failure_never_raises_it(found: tuple[Arm, Arm]) -> None:
    stable, canary = found
    if stable.failed < stable.requests:
        more = stable.model_copy(update={"failed": stable.failed + 1})
        assert against((more, canary)) <= against(found) * (1 + 1e-9)


@given(st.integers(0, 50), st.integers(0, 50), st.floats(0.01, 0.99), st.sampled_from(RATIOS))
def test_the_versions_mirror_each_other(canary: int, stable: int, share: float, ratio: float) -> None:
    here = factor(canary, canary + stable, share, ratio)
    there = factor(stable, canary + stable, 1 - share, 1 / ratio)
    assert here == pytest.approx(there, abs=1e-6)


@given(st.lists(pairs, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_blocks_does_not_matter(found: list[tuple[Arm, Arm]], rng: random.Random) -> None:
    mixed = found.copy()
    rng.shuffle(mixed)
    assert against(*mixed) == pytest.approx(against(*found), rel=1e-9)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 9), st.integers(0, 9), st.integers(2, 6))
def test_the_split_of_blocks_does_not_matter(n_c: int, n_s: int, k_c: int, k_s: int, times: int) -> None:
    part = block((min(k_c, n_c), n_c), (min(k_s, n_s), n_s))
    whole = block(
        (part[1].failed * times, n_c * times),
        (part[0].failed * times, n_s * times),
    )
    assert against(*[part] * times) == pytest.approx(against(whole), rel=1e-9)


@given(arms, st.booleans(), st.booleans())
def test_an_empty_arm_or_no_mark_leaves_it_as_it_was(found: Arm, canary: bool, late: bool) -> None:
    before = block((3, 40), (1, 300))
    quiet = found.model_copy(update={"failed": 0})
    one_arm = (Arm(), found) if canary else (found, Arm())
    assert against(before, one_arm, late=late) == against(before, late=late)
    assert against(before, (quiet, quiet), late=late) == against(before, late=late)


def test_a_late_fault_is_found_though_the_start_spoke_for_the_canary() -> None:
    calm = [block((0, 50), (5, 50))] * 30
    broken = [block((5, 50), (0, 50))] * 8
    assert against(*calm, *broken) < 1
    assert against(*calm, *broken, late=True) > 100


def test_it_stays_below_a_under_looks_bursts_and_an_adversary() -> None:
    """Hundreds of looks; the weight is set against us: up while the evidence grows, down while it falls.

    A burst of 30 % failures hits both versions in a third of the time. The Wilson bound (95 %) is below 1 %.
    """
    rng = random.Random(4)  # noqa: S311
    runs, looks, false = 450, 200, 0
    for _ in range(runs):
        found, weight = Evidence(), 0.1
        for look in range(looks):
            requests = rng.choice((6, 20, 60))
            canary = draw(rng, requests, weight)
            rate = 0.3 if look % 30 < 10 else 0.01
            marks = block(
                (draw(rng, canary, rate), canary), (draw(rng, requests - canary, rate), requests - canary)
            )
            found = fold(found, marks, Signal.ERRORS, late=False)
            strength = weigh(found, late=False)
            weight = min(0.5, weight * 1.5) if strength > 1 else max(0.02, weight / 1.5)
            if strength >= 100:
                false += 1
                break
    assert bound(false, runs) < 0.01


def bound(hits: int, runs: int) -> float:
    """Wilson's upper bound, one-sided 95 %."""
    z, share = 1.645, hits / runs
    middle = share + z * z / (2 * runs)
    return (middle + z * math.sqrt(share * (1 - share) / runs + z * z / (4 * runs * runs))) / (
        1 + z * z / runs
    )


def cold(inits: tuple[float, ...]) -> Arm:
    above = tuple(sum(init > limit for init in inits) for limit in INITS)
    return Arm(requests=len(inits) + 50, cold=len(inits), init=sum(inits), slow_inits=above if inits else ())


@given(st.lists(st.sampled_from([60.0, 150, 300, 900, 7000]), min_size=2, max_size=9), st.integers(1, 8))
def test_the_evidence_of_inits_has_a_mean_of_at_most_one(inits: list[float], canary: int) -> None:
    """Over every way in which a block's cold starts may fall on the versions, each as likely as the others."""
    ways = list(combinations(range(len(inits)), min(canary, len(inits) - 1)))
    total = 0.0
    for way in ways:
        new = cold(tuple(inits[index] for index in way))
        old = cold(tuple(init for index, init in enumerate(inits) if index not in way))
        total += weigh(fold(Evidence(), (old, new), Signal.INIT, late=False), late=False)
    assert total / len(ways) <= 1 + 1e-9


@given(st.integers(1, 400), st.integers(0, 3), st.floats(1, 20_000))
def test_how_many_cold_starts_a_version_has_is_no_evidence(canary: int, stable: int, init: float) -> None:
    arms = (cold((init,) * stable), cold((init,) * canary))
    assert weigh(fold(Evidence(), arms, Signal.INIT, late=False), late=False) <= 1 + 1e-9


def test_signals_share_the_stake_by_policy() -> None:
    assert signal_shares(Policy()) == {Signal.ERRORS: 0.5, Signal.LATENCY: 0.3, Signal.TIMEOUTS: 0.2}
    everything = Policy(modes={Signal.COST: Mode.ENFORCE})
    assert signal_shares(everything)[Signal.COST] == pytest.approx(0.1)
    rest = signal_shares(Policy(modes=dict.fromkeys(Signal, Mode.ENFORCE)))
    assert rest[Signal.INIT] == pytest.approx(0.2 / 3)
    assert sum(rest.values()) == pytest.approx(1)
    alone = Policy(modes={Signal.LATENCY: Mode.HOLD, Signal.TIMEOUTS: Mode.OBSERVE})
    assert signal_shares(alone) == {Signal.ERRORS: 1.0}
    assert combine({Signal.ERRORS: 50.0, Signal.LATENCY: 1e9}, alone) == 50
    nothing = Policy(modes=dict.fromkeys(Signal, Mode.OBSERVE))
    assert combine({Signal.ERRORS: 1e9}, nothing) == 1
    assert pool([200.0, 1.0, 1.0]) == pytest.approx(202 / 3)
