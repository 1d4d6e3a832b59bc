"""The stable version against its own history."""

from __future__ import annotations

import random

from tests.domain.judging.rollouts import draw
from tidegate.domain.judging import History
from tidegate.domain.judging.downstream import Downstream, follow, start


def after(found: Downstream, *blocks: tuple[int, int]) -> Downstream:
    for requests, failed in blocks:
        found = follow(found, (requests, failed))
    return found


def test_an_incident_is_seen_within_a_block_and_its_end_soon_after() -> None:
    calm = start(History(error_rate=0.01, requests=10_000))
    broken = after(calm, (500, 150))
    assert broken.is_alarmed(among=1)
    assert not after(calm, (500, 6)).is_alarmed(among=1)
    assert not after(broken, *[(500, 5)] * 4).is_alarmed(among=1)


def test_an_incident_is_not_learned_from() -> None:
    calm = start(History(error_rate=0.01, requests=10_000))
    assert after(calm, *[(500, 150)] * 20).usual == calm.usual


def test_what_is_usual_is_learned_where_nothing_is_known() -> None:
    found = after(start(History()), *[(200, 20)] * 50)
    assert not found.is_alarmed(among=1)
    assert 0.09 < found.usual < 0.11


def test_a_calm_version_is_hardly_ever_accused() -> None:
    rng, accused = random.Random(3), 0  # noqa: S311
    for _ in range(40):
        found = start(History(error_rate=0.01, requests=10_000))
        for _ in range(100):
            found = follow(found, (250, draw(rng, 250, 0.01)))
            accused += found.is_alarmed(among=1)
    assert accused <= 4


def test_among_many_functions_it_must_be_surer() -> None:
    found = Downstream(score=10.0, requests=1000, failed=1)
    assert found.is_alarmed(among=1)
    assert not found.is_alarmed(among=100)


def test_the_canary_alone_says_nothing() -> None:
    calm = start(History(error_rate=0.01, requests=10_000))
    assert follow(calm, (0, 0), (5, 5)) is calm


def test_an_incident_that_passes_the_canary_by_is_the_stable_versions_own() -> None:
    calm = start(History(error_rate=0.01, requests=10_000))
    both = follow(calm, (500, 150), (50, 15))
    assert both.is_alarmed(among=1)
    assert not follow(calm, (500, 150), (50, 0)).is_alarmed(among=1)


def test_a_version_that_always_fails_cannot_fail_more() -> None:
    hopeless = start(History(error_rate=1.0, requests=10_000))
    assert not after(hopeless, *[(500, 500)] * 20).is_alarmed(among=1)
