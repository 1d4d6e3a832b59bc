"""Which of several wheels fits a target best, by the tags of their names; pure.

Sources: https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/, PEP 600.
"""

from __future__ import annotations

import re
from itertools import product
from typing import Final, NamedTuple

# What the older names of manylinux say of glibc 2.x.
LEGACY: Final = {"manylinux1": 5, "manylinux2010": 12, "manylinux2014": 17}
ANY: Final = 0
PLAIN: Final = 1  # of a machine, whatever its glibc
NAMED: Final = re.compile(r"(manylinux1|manylinux2010|manylinux2014|manylinux_2_(\d+)|linux)_(\w+)")


class Target(NamedTuple):
    """A CPython version such as 3.13 and a platform such as x86_64-manylinux_2_34; None: this machine's."""

    python: str
    platform: str | None

    @property
    def minor(self) -> int:
        """The second part of the version."""
        return int(self.python.partition(".")[2])

    @property
    def environment(self) -> dict[str, str]:
        """The variables of environment markers; those of the platform only where it is known."""
        found = {
            "python_version": self.python,
            "python_full_version": f"{self.python}.0",
            "implementation_version": f"{self.python}.0",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
            "extra": "",
            "extras": "",
            "dependency_groups": "",
        }
        if self.platform is None:
            return found
        system = {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux"}
        return found | system | {"platform_machine": self.platform.partition("-")[0]}


def rank(filename: str, target: Target) -> tuple[int, ...] | None:
    """How well a wheel fits, the more the better, as installers order them; None where it does not."""
    *head, pythons, abis, platforms = filename.removesuffix(".whl").split("-")
    found = (
        _join(_rank_python(python, abi, target.minor), _rank_platform(platform, target))
        for python, abi, platform in product(pythons.split("."), abis.split("."), platforms.split("."))
    )
    best = max((one for one in found if one), default=None)
    build = re.match(r"\d+", head[2]) if len(head) > 2 else None  # noqa: PLR2004 (name, version, build)
    return best and (*best, int(build[0]) if build else 0)


def _join(python: tuple[int, int] | None, platform: int | None) -> tuple[int, ...] | None:
    """What is for a platform goes before what is for any, whatever the Python."""
    return None if python is None or platform is None else (platform != ANY, *python, platform)


def _rank_python(python: str, abi: str, minor: int) -> tuple[int, int] | None:
    """Own ABI, then the stable one of this version and of older ones, then pure Python."""
    own, number = f"cp3{minor}", int(python[3:]) if re.fullmatch(r"(cp|py)3\d+", python) else None
    if (python, abi) == (own, own):
        return (2, 0)
    if abi == "abi3" and python.startswith("cp3") and number is not None and number <= minor:
        return (1, 2 * number + 1)
    if (python, abi) == (own, "none"):
        return (1, 2 * minor)
    if abi != "none" or not python.startswith("py3"):
        return None
    if number is None:
        return (0, 2 * minor - 1)
    return (0, 2 * number) if number <= minor else None


def _rank_platform(platform: str, target: Target) -> int | None:
    if platform == "any":
        return ANY
    named = NAMED.fullmatch(platform)
    glibc = int(named[2] or LEGACY.get(named[1], PLAIN)) if named else PLAIN
    if target.platform is None:
        return glibc  # the resolver has left out what does not run on the machine at hand
    machine, _, offered = target.platform.partition("-")
    most = LEGACY.get(offered) or int(offered.rpartition("_")[2])
    return glibc if named and named[3] == machine and glibc <= most else None
