"""Filter patterns of CloudWatch Logs, decided here as CloudWatch decides them.

A failure mark is such a pattern, and fast telemetry must find it in lines that no filter of CloudWatch saw.
Terms (all of them, `?any`, `-none`, `"quoted"`) and JSON patterns (`{ $.level = "ERROR" && $.ms > 500 }`) are
read; space-delimited and regular-expression patterns are refused by name. Imports the standard library only,
since a function that starts often uses it.
Source: Amazon CloudWatch Logs User Guide, "Filter pattern syntax".
"""

from __future__ import annotations

import fnmatch
import functools
import json
import operator
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MISSING: Final = object()
TOKEN: Final = re.compile(
    r"""\s*(?:(?P<op>&&|\|\||!=|<=|>=|=|<|>|\(|\))|(?P<path>\$(?:\.[\w@-]+|\[\d+\])+)"""
    r"""|(?P<text>"(?:[^"\\]|\\.)*")|(?P<word>[^\s()&|=<>!]+))"""
)
REGEX: Final = re.compile(r"=\s*%")
TERM: Final = re.compile(r'\s*(?P<sign>[?-]?)(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s"]+))')
ORDER: Final = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
KEYWORDS: Final = {"NULL": None, "TRUE": True, "FALSE": False}


class InvalidPattern(ValueError):
    """The pattern is wrong, or of a kind that is not read here; the message says which."""

    def __init__(self, pattern: str, problem: str) -> None:
        super().__init__(f"Invalid filter pattern {pattern!r}: {problem}")


class UnsupportedPattern(InvalidPattern):
    """The pattern is of a kind that CloudWatch Logs reads, and this module does not."""


@functools.lru_cache(maxsize=256)
def read(pattern: str) -> Callable[[str], bool]:
    """The check that a pattern stands for; InvalidPattern where it cannot be read."""
    text = pattern.strip()
    if not text:
        return lambda _: True
    if text.startswith("{"):
        if not text.endswith("}"):
            raise InvalidPattern(pattern, "the closing brace is missing")
        if REGEX.search(text):
            raise UnsupportedPattern(pattern, "regular expressions are not read")
        if "[*]" in text:
            raise UnsupportedPattern(pattern, "any element of a list is not read")
        return _on_json(_Json(pattern, text[1:-1]).read())
    if text.startswith("["):
        raise UnsupportedPattern(pattern, "space-delimited patterns are not read")
    if "%" in text:
        raise UnsupportedPattern(pattern, "regular expressions are not read")
    return _read_terms(pattern, text)


def _read_terms(pattern: str, text: str) -> Callable[[str], bool]:
    terms: dict[str, list[str]] = {"": [], "?": [], "-": []}
    position = 0
    while position < len(text):
        found = TERM.match(text, position)
        if found is None:
            raise InvalidPattern(pattern, f"cannot read {text[position:]!r}")
        quoted = found["quoted"]
        terms[found["sign"]].append(found["plain"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        position = found.end()

    def check(message: str) -> bool:
        wanted = all(term in message for term in terms[""])
        optional = not terms["?"] or any(term in message for term in terms["?"])
        return wanted and optional and not any(term in message for term in terms["-"])

    return check


def _on_json(check: Callable[[Any], bool]) -> Callable[[str], bool]:
    def match(message: str) -> bool:
        try:
            return check(json.loads(message))
        except ValueError:
            return False

    return match


class _Json:
    """Reads `a && (b || c)` with comparisons of a property; && binds closer than ||."""

    def __init__(self, pattern: str, text: str) -> None:
        self._pattern = pattern
        self._tokens = self._split(text)

    def _split(self, text: str) -> list[tuple[str, str]]:
        tokens: list[tuple[str, str]] = []
        position, end = 0, len(text.rstrip())
        while position < end:
            found = TOKEN.match(text, position)
            if found is None or found.lastgroup is None:
                raise InvalidPattern(self._pattern, f"cannot read {text[position:]!r}")
            tokens.append((found.lastgroup, found[found.lastgroup]))
            position = found.end()
        return tokens

    def read(self) -> Callable[[Any], bool]:
        check = self._any()
        if self._tokens:
            raise InvalidPattern(self._pattern, f"does not expect {self._tokens[0][1]!r}")
        return check

    def _take(self, kind: str | None = None) -> str:
        if not self._tokens or (kind is not None and self._tokens[0][0] != kind):
            raise InvalidPattern(self._pattern, f"{kind or 'more'} expected")
        return self._tokens.pop(0)[1]

    def _next_is(self, text: str) -> bool:
        return bool(self._tokens) and self._tokens[0] == ("op", text)

    def _any(self) -> Callable[[Any], bool]:
        checks = [self._all()]
        while self._next_is("||"):
            self._take()
            checks.append(self._all())
        return lambda record: any(check(record) for check in checks)

    def _all(self) -> Callable[[Any], bool]:
        checks = [self._one()]
        while self._next_is("&&"):
            self._take()
            checks.append(self._one())
        return lambda record: all(check(record) for check in checks)

    def _one(self) -> Callable[[Any], bool]:
        if self._next_is("("):
            self._take()
            check = self._any()
            if not self._next_is(")"):
                raise InvalidPattern(self._pattern, "a closing parenthesis is missing")
            self._take()
            return check
        path = self._take("path")
        kind, word = self._tokens[0] if self._tokens else ("", "")
        if kind == "word" and word.upper() in {"IS", "NOT"}:
            return self._keyword(path)
        return self._compare(path, self._take("op"))

    def _keyword(self, path: str) -> Callable[[Any], bool]:
        first, second = self._take("word").upper(), self._take("word").upper()
        if (first, second) == ("NOT", "EXISTS"):
            return lambda record: find(record, path) is MISSING
        if first != "IS" or second not in KEYWORDS:
            raise InvalidPattern(self._pattern, f"{first} {second} is no check")
        return lambda record: find(record, path) is KEYWORDS[second]

    def _compare(self, path: str, sign: str) -> Callable[[Any], bool]:
        kind, value = self._tokens.pop(0) if self._tokens else ("", "")
        if kind not in {"text", "word"}:
            raise InvalidPattern(self._pattern, f"a value is expected after {sign}")
        if sign in {"=", "!="}:
            wanted = json.loads(value) if kind == "text" else value
            return lambda record: _equals(find(record, path), wanted) is (sign == "=")
        if sign not in ORDER:
            raise InvalidPattern(self._pattern, f"{sign} is no comparison")
        limit, compare = _number(self._pattern, value), ORDER[sign]
        return lambda record: _is_number(found := find(record, path)) and bool(compare(found, limit))


def find(record: Any, path: str) -> Any:  # noqa: ANN401
    """The value at `$.a.b[0]`, or MISSING."""
    for part in re.findall(r"\.([\w@-]+)|\[(\d+)\]", path):
        try:
            record = record[part[0]] if part[0] else record[int(part[1])]
        except (KeyError, IndexError, TypeError):
            return MISSING
    return record


def _equals(found: Any, wanted: str) -> bool:  # noqa: ANN401
    """Equality as text with `*` for anything, or as numbers; a missing property equals nothing."""
    if found is MISSING or isinstance(found, (dict, list)):
        return False
    if _is_number(found):
        try:
            return bool(float(wanted) == found)
        except ValueError:
            return False
    text = json.dumps(found) if isinstance(found, bool) or found is None else str(found)
    return fnmatch.fnmatchcase(text, re.sub(r"([\[?])", r"[\1]", wanted))


def _is_number(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number(pattern: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise InvalidPattern(pattern, f"{value} is no number") from None
