from __future__ import annotations

import pytest
from packaging.markers import Marker

from tidegate.domain.errors import BuildFailed
from tidegate.domain.markers import applies
from tidegate.domain.tags import Target

HERE = Target("3.9", "aarch64-manylinux2014").environment


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("", True),
        ("python_version < '3.10'", True),
        ("python_version<'3.9'", False),
        ("'3.10' > python_version", True),
        ("python_version >= '3'", True),
        ("python_version == '3.*'", True),
        ("python_version != '3.9.*'", False),
        ("python_full_version ~= '3.8.1'", False),
        ("python_version ~= '3.8'", True),
        ("python_full_version < '3.9.1'", True),
        ("sys_platform == 'win32' or os_name == 'posix' and platform_system == 'Linux'", True),
        ("(sys_platform == 'win32' or os_name == 'posix') and platform_system == 'Darwin'", False),
        ("platform_machine in 'x86_64 aarch64'", True),
        ('platform_machine not in "x86_64 aarch64"', False),
        ("implementation_name != 'PyPy' and platform_python_implementation != 'PyPy'", True),
        ("extra == 'dev'", False),
        ("platform_release == 'anything'", True),
    ],
)
def test_a_marker_holds_or_not(marker: str, holds: bool) -> None:
    assert applies(marker, HERE) is holds
    if marker and "platform_release" not in marker:
        assert Marker(marker).evaluate(dict(HERE)) is holds


def test_what_the_machine_at_hand_decides_was_decided_by_the_resolver() -> None:
    environment = Target("3.13", None).environment
    assert applies("sys_platform == 'darwin' and python_version > '3.12'", environment)
    assert not applies("sys_platform == 'darwin' and python_version > '3.13'", environment)


@pytest.mark.parametrize(
    "marker",
    [
        "os_name",
        "os_name ==",
        "os_name == 'a' extra",
        "(os_name == 'a'",
        "os_name $ 'a'",
        "os_name ~= 'a'",
        "os_name = 'a'",
    ],
)
def test_what_is_no_marker_is_refused(marker: str) -> None:
    with pytest.raises(BuildFailed, match="marker"):
        applies(marker, HERE)
