from __future__ import annotations

import itertools

import pytest
from packaging.tags import compatible_tags, cpython_tags

from tidegate.domain.tags import Target, rank

TARGET = Target("3.11", "x86_64-manylinux_2_28")
# The best first, as an installer for this target orders them.
ORDER = [
    "x-1-cp311-cp311-manylinux_2_28_x86_64.whl",
    "x-1-2-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
    "x-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    "x-1-cp311-cp311-linux_x86_64.whl",
    "x-1-cp311-abi3-manylinux1_x86_64.whl",
    "x-1-cp37-abi3-manylinux2010_x86_64.whl",
    "x-1-py3-none-manylinux2014_x86_64.whl",
    "x-1-cp311-none-any.whl",
    "x-1-py311-none-any.whl",
    "x-1-py2.py3-none-any.whl",
    "x-1-py38-none-any.whl",
]


def test_wheels_are_ordered_as_installers_order_them() -> None:
    ranks = [rank(name, TARGET) for name in ORDER]
    assert all(ranks)
    assert all((one or ()) > (other or ()) for one, other in itertools.pairwise(ranks))


@pytest.mark.parametrize(
    "name",
    [
        "x-1-cp312-cp312-manylinux2014_x86_64.whl",
        "x-1-cp312-abi3-manylinux2014_x86_64.whl",
        "x-1-cp311-cp311t-manylinux2014_x86_64.whl",
        "x-1-cp311-cp311-manylinux_2_34_x86_64.whl",
        "x-1-cp311-cp311-manylinux2014_aarch64.whl",
        "x-1-cp311-cp311-musllinux_1_2_x86_64.whl",
        "x-1-cp311-cp311-win_amd64.whl",
        "x-1-py2-none-any.whl",
        "x-1-py312-none-any.whl",
        "x-1-pp311-pypy311_pp73-manylinux2014_x86_64.whl",
    ],
)
def test_what_does_not_run_there_has_no_rank(name: str) -> None:
    assert rank(name, TARGET) is None


def test_the_order_is_that_of_the_packaging_library() -> None:
    legacy = {17: ["manylinux2014"], 12: ["manylinux2010"], 5: ["manylinux1"]}
    names = [name for glibc in range(28, 4, -1) for name in (f"manylinux_2_{glibc}", *legacy.get(glibc, []))]
    platforms = [f"{name}_x86_64" for name in (*names, "linux")]
    tags = [*cpython_tags((3, 11), platforms=platforms), *compatible_tags((3, 11), "cp311", platforms)]
    theirs = [tag for tag in tags if tag.interpreter != "py2"]
    ranks = [rank(f"x-1-{tag}.whl", TARGET) for tag in theirs]
    assert [tag for tag, found in zip(theirs, ranks, strict=True) if found is None] == []
    for (one, found), (other, next_found) in itertools.pairwise(zip(theirs, ranks, strict=True)):
        assert (found or ()) >= (next_found or ()), (one, other)


def test_of_the_machine_at_hand_the_platform_is_the_resolver_s() -> None:
    assert rank("x-1-cp311-cp311-macosx_11_0_arm64.whl", Target("3.11", None))
    assert rank("x-1-cp312-cp312-macosx_11_0_arm64.whl", Target("3.11", None)) is None
