"""What a .dockerignore leaves out of a build's context.

Source: https://docs.docker.com/build/concepts/context/#dockerignore-files. The last pattern that a path, or a
folder that it lies in, matches says what becomes of it.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, NamedTuple

from tidegate.domain.errors import UnsupportedTemplate

if TYPE_CHECKING:
    from collections.abc import Iterable


class Pattern(NamedTuple):
    """A line of the file: what it matches, and whether it brings back what others leave out."""

    matcher: re.Pattern[str]
    brings_back: bool


def read_patterns(text: str, file: str) -> tuple[Pattern, ...]:
    """The patterns of a .dockerignore, in their order."""
    found = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip().removeprefix("\ufeff")
        if not line or line.startswith("#"):
            continue
        brings_back = line.startswith("!")
        path = posixpath.normpath(line.removeprefix("!").strip().lstrip("/") or ".")
        if path != ".":
            found.append(Pattern(translate(path, file, number, deep=True), brings_back))
    return tuple(found)


def is_ignored(path: str, patterns: Iterable[Pattern]) -> bool:
    """Whether a file, by its path in the context, is left out of it."""
    above = [path]
    while folder := posixpath.dirname(above[-1]):
        above.append(folder)
    ignored = False
    for pattern in patterns:
        if pattern.brings_back is ignored and any(pattern.matcher.fullmatch(one) for one in above):
            ignored = not pattern.brings_back
    return ignored


def translate(pattern: str, file: str, line: int, *, deep: bool = False) -> re.Pattern[str]:
    """A pattern of Go's filepath.Match as a regular expression; with `deep`, `**` stands for any folders."""
    result, place = "", 0
    while place < len(pattern):
        if deep and pattern.startswith("**/", place):
            result, place = result + "(?:.*/)?", place + 3
        elif deep and pattern.startswith("**", place):
            result, place = result + ".*", place + 2
        else:
            piece, place = _translate_sign(pattern, place, file, line)
            result += piece
    return re.compile(result, re.DOTALL)


def _translate_sign(pattern: str, place: int, file: str, line: int) -> tuple[str, int]:
    sign = pattern[place]
    if sign == "*":
        return "[^/]*", place + 1
    if sign == "?":
        return "[^/]", place + 1
    if sign == "\\" and place + 1 < len(pattern):
        return re.escape(pattern[place + 1]), place + 2
    if sign != "[":
        return re.escape(sign), place + 1
    found = re.compile(r"\[(\^?)((?:\\.|[^\]\\])+)\]").match(pattern, place)
    if found is None:
        raise UnsupportedTemplate(f"the pattern {pattern} is not understood", file=file, line=line)
    inner = re.sub(r"\\?([^-\\])", lambda one: re.escape(one[1]), found[2])
    return f"(?!/)[{found[1]}{inner}]", found.end()
