"""Versions as Poetry's constraints allow them: `^1.2`, `~1.2`, `1.*`, PEP 440's, and `||` between; pure.

Source: https://python-poetry.org/docs/dependency-specification/
"""

from __future__ import annotations

import re
from typing import Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

EITHER: Final = re.compile(r"\s*\|\|?\s*")
PART: Final = re.compile(r"(\^|~=|~|===|==|!=|<=|>=|<|>|=)?\s*([^\s,<>=!~^]+)")


def allows(constraint: str, version: str) -> bool:
    """Whether a constraint allows a version; ValueError where it is none."""
    return any(_allows_all(one, version) for one in EITHER.split(constraint.strip().strip("()") or "*"))


def _allows_all(constraint: str, version: str) -> bool:
    parts = PART.findall(constraint)
    if PART.sub("", constraint).strip(" ,"):
        raise ValueError(f"{constraint!r} is no constraint of Poetry's")
    try:
        wanted = SpecifierSet(",".join(_translate(*part) for part in parts))
        return wanted.contains(version, prereleases=True)
    except (InvalidSpecifier, InvalidVersion) as error:
        raise ValueError(f"{constraint!r} is no constraint of Poetry's") from error


def _translate(operator: str, text: str) -> str:
    """One part of a constraint in PEP 440's words; empty where it allows everything."""
    if text in {"*", "x"}:
        return ""
    if text.endswith((".*", ".x")):
        return f"{'!=' if operator == '!=' else '=='}{text[:-2]}.*"
    if operator == "^":
        return f">={text},<{_next(text, _first_number(text))}"
    if operator == "~":
        return f">={text},<{_next(text, min(1, len(Version(text).release) - 1))}"
    return f"{'==' if operator in {'', '='} else operator}{text}"


def _first_number(text: str) -> int:
    """The place of a version's first number that is not 0, else its last."""
    release = Version(text).release
    return next((place for place, number in enumerate(release) if number), len(release) - 1)


def _next(text: str, place: int) -> str:
    """The first version after those that are equal up to a place, pre-releases of it among those after."""
    release = Version(text).release
    return f"{'.'.join(map(str, (*release[:place], release[place] + 1)))}.dev0"
