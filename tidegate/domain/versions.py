"""Orders of versions: Python's (PEP 440) and npm's (Semantic Versioning 2.0.0); pure.

Each gives a key that compares as its ecosystem does. What is no version of it is None: whoever asks must say
so, since a version that cannot be compared is neither affected nor safe.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from packaging.version import InvalidVersion, Version

PYPI: Final = "PyPI"
NPM: Final = "npm"
# What npm takes as a version; missing numbers count as 0, as where an advisory says "2" or "1.4".
SEMVER: Final = re.compile(
    r"[v=\s]*(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?\s*"
)


@lru_cache(maxsize=65_536)
def order(ecosystem: str, version: str) -> Any | None:  # noqa: ANN401 (each ecosystem's own key)
    """What versions of an ecosystem are compared by; None where it is no version of it."""
    return _order_semver(version) if ecosystem == NPM else _order_python(version)


def _order_python(version: str) -> Version | None:
    try:
        return Version(version)
    except InvalidVersion:
        return None


def _order_semver(version: str) -> tuple[Any, ...] | None:
    """Numbers, then whether it is a release, then its pre-release parts; build metadata does not count."""
    match = SEMVER.fullmatch(version)
    if match is None:
        return None
    numbers = tuple(int(match[number] or 0) for number in (1, 2, 3))
    if match[4] is None:
        return (*numbers, 1, ())
    parts = match[4].split(".")
    return (*numbers, 0, tuple((0, int(one), "") if one.isdigit() else (1, 0, one) for one in parts))


def drop_local(version: str, other: str, ecosystem: str) -> str:
    """A version without its local part, where the other one has none: 2.0+cpu is what advisories call 2.0."""
    return version.partition("+")[0] if ecosystem == PYPI and "+" not in other else version


def is_same_version(one: str, other: str, ecosystem: str = PYPI) -> bool:
    """Whether two texts are the same version; as text where one of them is none."""
    first, second = order(ecosystem, one), order(ecosystem, other)
    return one == other if first is None or second is None else bool(first == second)
