"""Which packages of a lock are for a target, and which of several wheels fits it best: PyPA's rules.

The rules are those of the `packaging` library; what is added here is a target that is not this machine.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import compatible_tags, cpython_tags, platform_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from tidegate.domain.errors import BuildFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from packaging.tags import Tag

    from tidegate.domain.locks import Target

# The older names of manylinux, by the minor version of the glibc 2 that they stand for (PEP 600).
LEGACY: Final = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
OLDEST: Final = 5


def applies(marker: str, target: Target, *, extras: Iterable[str] = (), groups: Iterable[str] = ()) -> bool:
    """Whether what bears an environment marker is for the target; BuildFailed where it is no marker.

    `extras` are those that are asked for, `groups` the dependency groups of a lock that are (PEP 751).
    """
    if not marker:
        return True
    known = {**_environment(target), "dependency_groups": frozenset(groups)}
    try:
        read = Marker(marker)
        return any(read.evaluate({**known, "extra": one}, context="lock_file") for one in ("", *extras))
    except ValueError as error:
        raise BuildFailed(f"{marker!r} is no environment marker: {error}") from error


def find_requirements(texts: Iterable[str], target: Target | None) -> tuple[list[Requirement], list[str]]:
    """Requirement texts of a distribution that are for the target, and those that are not understood.

    Those of an extra are left in; `is_wanted` tells them apart. Without a target all are for it.
    """
    found, unread = [], []
    for text in texts:
        try:
            found.append(Requirement(text))
        except InvalidRequirement:
            unread.append(text)
    return [one for one in found if target is None or _may_apply(one, target)], unread


def is_wanted(requirement: Requirement, extras: Iterable[str], target: Target | None) -> bool:
    """Whether a requirement holds with these extras of the distribution that has it."""
    if requirement.marker is None:
        return True
    environment = {} if target is None else _environment(target)
    return any(requirement.marker.evaluate({**environment, "extra": one}) for one in ("", *extras))


def _may_apply(requirement: Requirement, target: Target) -> bool:
    """Whether the requirement's marker can hold, whatever extras are asked for."""
    named = re.findall(r"extra\s*==\s*[\"']([^\"']+)[\"']", str(requirement.marker or ""))
    return is_wanted(requirement, named, target)


def _environment(target: Target) -> dict[str, str | frozenset[str]]:
    """The variables that differ from this machine's; of the target's kernel nothing is known."""
    found: dict[str, str | frozenset[str]] = {
        "python_version": target.python,
        "python_full_version": f"{target.python}.0",
        "implementation_version": f"{target.python}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "extra": "",
    }
    if target.platform is None:
        return found
    return found | {
        "os_name": "posix",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": target.platform.partition("-")[0],
        "platform_release": "",
        "platform_version": "",
    }


def choose(filenames: Iterable[str], target: Target) -> str | None:
    """The wheel that an installer takes, of the same version; None where none fits.

    The best tag counts, then the greater build number.
    """
    order = _order(target)
    fitting = []
    for filename in filenames:
        try:
            _, _, build, tags = parse_wheel_filename(filename)
        except InvalidWheelFilename:
            continue
        if known := [order[tag] for tag in tags if tag in order]:
            fitting.append((-min(known), build, filename))
    return max(fitting)[-1] if fitting else None


@cache
def _order(target: Target) -> dict[Tag, int]:
    """The tags that fit a target, the best first."""
    minor = int(target.python.partition(".")[2])
    platforms = list(platform_tags() if target.platform is None else _platforms(target.platform))
    tags = (
        *cpython_tags((3, minor), platforms=platforms),
        *compatible_tags((3, minor), f"cp3{minor}", platforms),
    )
    return {tag: place for place, tag in reversed(list(enumerate(tags)))}


def _platforms(platform: str) -> Iterator[str]:
    """The tags of x86_64-manylinux_2_34 or x86_64-manylinux2014, the newest glibc first."""
    machine, _, offered = platform.partition("-")
    newest = next((glibc for glibc, name in LEGACY.items() if name == offered), None)
    for glibc in range(newest or int(offered.rpartition("_")[2]), OLDEST - 1, -1):
        yield f"manylinux_2_{glibc}_{machine}"
        if glibc in LEGACY:
            yield f"{LEGACY[glibc]}_{machine}"
    yield f"linux_{machine}"
