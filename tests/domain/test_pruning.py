"""Which versions stay, and why."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.healthy import Healthy
from tidegate.domain.pruning import Published, choose_kept, judge_versions


def published(version: int, description: str = "Tidegate: release a-1") -> Published:
    return Published(version=str(version), description=description)


def test_what_is_needed_foreign_or_the_newest_stays() -> None:
    found = [published(1), published(2, "by hand"), published(3), published(4), published(5)]
    judged = judge_versions(found, {"3": "release c-1 can be gone back to"})
    assert [why for _, why in judged] == [
        "",
        "not published by Tidegate",
        "release c-1 can be gone back to",
        "",
        "the newest: a release that changes nothing is given it again",
    ]


@given(st.sets(st.integers(1, 200), min_size=1), st.sets(st.integers(1, 200)))
def test_nothing_that_is_needed_ever_goes(numbers: set[int], needed: set[int]) -> None:
    needs = {str(number): "needed" for number in needed}
    judged = judge_versions([published(number) for number in numbers], needs)
    gone = {int(found.version) for found, why in judged if not why}
    assert gone == numbers - needed - {max(numbers)}


@given(st.lists(st.sampled_from("abcdef")), st.integers(3, 5))
def test_the_newest_releases_of_a_chain_stay_each_once(labels: list[str], keep: int) -> None:
    chain = [
        (
            str(index),
            Healthy(stage="s", release_id=f"{label}-{index}", restores=label, artifacts={}, functions={}),
        )
        for index, label in enumerate(labels)
    ]
    kept = [healthy.label for _, healthy in choose_kept(chain, keep)]
    assert kept == list(dict.fromkeys(labels))[:keep]
