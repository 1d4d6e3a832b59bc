"""The words of a Dockerfile's line: split as Docker splits them, and their variables replaced.

Source: https://docs.docker.com/reference/dockerfile/#environment-replacement. A replacement that Docker knows
and this does not is an error: nothing is passed on as it stands.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
BRACED: Final = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<how>:[-+])(?P<word>[^{}$\"'\\]*))?")
ESCAPED: Final = '"\\$`'


class UnreadableWord(ValueError):
    """A word that is not understood; the message says why."""


def split(text: str) -> list[str]:
    """The words of a text, with their quotes; UnreadableWord where a quote stays open."""
    words, word, quote, escaped, begun = [], "", "", False, False
    for sign in text:
        if not quote and not escaped and sign.isspace():
            words += [word] if begun else []
            word, begun = "", False
            continue
        word, begun = word + sign, True
        if escaped:
            escaped = False
        elif sign == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
    if quote:
        raise UnreadableWord(f"a quote ({quote}) is not closed")
    return words + ([word] if begun else [])


def expand(word: str, variables: Mapping[str, str]) -> str:
    """A word without its quotes, its variables replaced; one that is not set is empty, as for Docker."""
    result, quote, place = "", "", 0
    while place < len(word):
        sign = word[place]
        place += 1
        if sign == "'" and quote != '"':
            quote = "" if quote else sign
        elif quote == "'":
            result += sign
        elif sign == '"':
            quote = "" if quote else sign
        elif sign == "\\":
            following = word[place : place + 1]
            result += following if not quote or following in ESCAPED else sign + following
            place += 1
        elif sign == "$":
            value, place = _replace(word, place, variables)
            result += value
        else:
            result += sign
    if quote:
        raise UnreadableWord(f"a quote ({quote}) is not closed")
    return result


def _replace(word: str, place: int, variables: Mapping[str, str]) -> tuple[str, int]:
    """The value of the variable whose name begins at a place, and where the word goes on."""
    if word[place : place + 1] == "{":
        end = word.find("}", place)
        found = BRACED.fullmatch(word[place + 1 : end]) if end > 0 else None
        if found is None:
            raise UnreadableWord(f"{word[place - 1 :]} is no variable that is understood")
        value, how = variables.get(found["name"], ""), found["how"]
        if how == ":-":
            value = value or found["word"]
        elif how == ":+":
            value = found["word"] if value else ""
        return value, end + 1
    named = NAME.match(word, place)
    if named is None:
        raise UnreadableWord(f"{word[place - 1 :]} is no variable that is understood")
    return variables.get(named[0], ""), named.end()
