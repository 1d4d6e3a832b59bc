from __future__ import annotations

import itertools

import pytest

from tidegate.adapters.wheel_choice import applies, choose
from tidegate.domain.errors import BuildFailed
from tidegate.domain.locks import Target

OLD = Target("3.9", "aarch64-manylinux2014")
TARGET = Target("3.11", "x86_64-manylinux_2_28")
# The best first.
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


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("", True),
        ("python_version < '3.10'", True),
        ("python_version == '3.*'", True),
        ("python_full_version ~= '3.8.1'", False),
        ("sys_platform == 'win32' or os_name == 'posix' and platform_system == 'Linux'", True),
        ("platform_machine in 'x86_64 aarch64'", True),
        ("platform_machine == 'arm64'", False),
        ("implementation_name != 'PyPy' and platform_python_implementation != 'PyPy'", True),
        ("extra == 'dev'", False),
        ("platform_release == '6.1'", False),
    ],
)
def test_a_marker_is_the_targets(marker: str, holds: bool) -> None:
    assert applies(marker, OLD) is holds


def test_of_the_machine_at_hand_only_the_python_is_another() -> None:
    assert applies("python_version > '3.98'", Target("3.99", None))
    assert not applies("sys_platform == 'nowhere'", Target("3.99", None))


@pytest.mark.parametrize("marker", ["os_name", "os_name == 'a' extra", "(os_name == 'a'", "os_name ~= 'a'"])
def test_what_is_no_marker_is_refused(marker: str) -> None:
    with pytest.raises(BuildFailed, match="is no environment marker"):
        applies(marker, OLD)


def test_of_two_wheels_the_one_counts_that_installers_prefer() -> None:
    for better, worse in itertools.combinations(ORDER, 2):
        assert choose([worse, better], TARGET) == better


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
        "x-1.whl",
    ],
)
def test_what_does_not_run_there_is_not_chosen(name: str) -> None:
    assert choose([name], TARGET) is None
