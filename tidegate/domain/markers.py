"""Environment markers: whether a requirement is for a target at all; pure.

Source: the dependency specifiers' grammar and variables
(https://packaging.python.org/en/latest/specifications/dependency-specifiers/#environment-markers).
"""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Final

from tidegate.domain.errors import BuildFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TOKEN: Final = re.compile(r"\s*(?:([()])|'([^']*)'|\"([^\"]*)\"|([A-Za-z_.]+)|([<>=!~]=?=?))")
VERSIONS: Final = frozenset({"python_version", "python_full_version", "implementation_version"})
ORDERS: Final[dict[str, Callable[..., bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "===": operator.eq,
}
Token = tuple[str, str]


def applies(marker: str, environment: Mapping[str, str]) -> bool:
    """Whether a marker holds in an environment; a variable that is not in it makes its comparison hold.

    (A resolver for the machine at hand has left out what is not for it.) BuildFailed where it is no marker.
    """
    tokens = _tokenize(marker)
    if not tokens:
        return True
    found = _either(tokens, environment)
    if tokens:
        raise BuildFailed(f"{marker!r} is no environment marker")
    return found


def _tokenize(marker: str) -> list[Token]:
    tokens, place = [], 0
    while marker[place:].strip():
        found = TOKEN.match(marker, place)
        if found is None:
            raise BuildFailed(f"{marker!r} is no environment marker")
        bracket, single, double, word, sign = found.groups()
        text = single if single is not None else double
        tokens.append(("text", text) if text is not None else ("word", bracket or word or sign))
        place = found.end()
    return tokens


def _either(tokens: list[Token], environment: Mapping[str, str]) -> bool:
    found = _both(tokens, environment)
    while tokens and tokens[0] == ("word", "or"):
        tokens.pop(0)
        found = _both(tokens, environment) or found
    return found


def _both(tokens: list[Token], environment: Mapping[str, str]) -> bool:
    found = _one(tokens, environment)
    while tokens and tokens[0] == ("word", "and"):
        tokens.pop(0)
        found = _one(tokens, environment) and found
    return found


def _one(tokens: list[Token], environment: Mapping[str, str]) -> bool:
    try:
        if tokens[0] == ("word", "("):
            tokens.pop(0)
            found = _either(tokens, environment)
            if tokens.pop(0) != ("word", ")"):
                raise BuildFailed("an environment marker has a bracket that is not closed")
            return found
        left, sign = tokens.pop(0), tokens.pop(0)[1]
        if sign == "not" and tokens.pop(0)[1] == "in":
            sign = "not in"
        return _compare(left, sign, tokens.pop(0), environment)
    except IndexError:
        raise BuildFailed("an environment marker ends too early") from None


def _compare(left: Token, sign: str, right: Token, environment: Mapping[str, str]) -> bool:
    names = [name for kind, name in (left, right) if kind == "word"]
    if any(name not in environment for name in names):
        return True
    one, other = (environment[text] if kind == "word" else text for kind, text in (left, right))
    if sign in {"in", "not in"}:
        return (one in other) == (sign == "in")
    if VERSIONS.isdisjoint(names):
        return _order(sign)(one, other)
    if other.endswith(".*"):
        return (_release(one)[: other.count(".")] == _release(other[:-2])) == (sign == "==")
    first, second = _release(one), _release(other)
    if sign == "~=":
        return first >= second and first[: len(second) - 1] == second[:-1]
    length = max(len(first), len(second))
    return _order(sign)(*(found + (0,) * (length - len(found)) for found in (first, second)))


def _order(sign: str) -> Callable[..., bool]:
    if sign not in ORDERS:
        raise BuildFailed(f"{sign!r} is no comparison of environment markers")
    return ORDERS[sign]


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
