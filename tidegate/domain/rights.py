"""Statements of IAM policies taken apart into rights, and compared: what one set has and another lacks.

A right is one action on one resource, under one condition: order, lists of one, and Sids say nothing. Texts
may hold symbols (`tidegate.domain.templates.values`), which stand for what is not known. Where it cannot be
told whether one right covers another, it does not. Source: AWS IAM User Guide, "IAM JSON policy elements".
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tidegate.domain.templates.values import MARK, SYMBOL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ALLOW: Final = "Allow"
DENY: Final = "Deny"
_UNKNOWN: Final = f"{MARK}unknown{MARK}"


class Right(NamedTuple):
    """One action on one resource; with NotAction or NotResource all that the statement names.

    Actions are in lower case, since IAM knows no case in them. condition: canonical JSON, "" for none.
    """

    effect: str
    verb: str
    actions: tuple[str, ...]
    noun: str
    resources: tuple[str, ...]
    condition: str


def list_rights(document: object) -> Iterator[Right]:
    """The rights of a policy document, as plain data; a part that is not known gives a right to anything.

    What has no statements gives none.
    """
    statements = document.get("Statement") if isinstance(document, dict) else document
    for statement in listed(statements):
        if isinstance(statement, dict) and not _is_unknown(statement.get("Effect", "")):
            yield from _list_rights(statement)
        else:
            yield Right(ALLOW, "Action", (_UNKNOWN,), "Resource", (_UNKNOWN,), _UNKNOWN)


def _list_rights(statement: dict[str, Any]) -> Iterator[Right]:
    verb = "NotAction" if "NotAction" in statement else "Action"
    noun = "NotResource" if "NotResource" in statement else "Resource"
    actions = sorted({_lower(str(action)) for action in listed(statement.get(verb))})
    resources = sorted({str(resource) for resource in listed(statement.get(noun))})
    condition = _canonical(statement.get("Condition") or {})
    effect = str(statement.get("Effect"))
    for some in [tuple(actions)] if verb == "NotAction" else [(action,) for action in actions]:
        for on in [tuple(resources)] if noun == "NotResource" else [(item,) for item in resources]:
            yield Right(effect, verb, some, noun, on, condition)


def _lower(action: str) -> str:
    return action if MARK in action else action.lower()


def _canonical(condition: object) -> str:
    if not isinstance(condition, dict):
        return _UNKNOWN
    plain = {
        operator: {key: sorted(map(_plain, listed(values))) for key, values in keys.items()}
        for operator, keys in condition.items()
        if isinstance(keys, dict)
    }
    # JSON would escape what marks a symbol.
    return json.dumps(plain, sort_keys=True).replace("\\u0000", MARK) if plain else ""


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def listed(value: Any) -> list[Any]:  # noqa: ANN401
    """A list as it is, nothing as an empty one, anything else as a list of one."""
    if isinstance(value, list | tuple):
        return list(value)
    return [] if value is None else [value]


def covers(wide: Right, narrow: Right) -> bool:
    """Whether the one right is the other, or more."""
    return (
        wide.effect == narrow.effect
        and wide.condition in {"", narrow.condition}
        and _covers((wide.verb, wide.actions), (narrow.verb, narrow.actions), "Action")
        and _covers((wide.noun, wide.resources), (narrow.noun, narrow.resources), "Resource")
    )


def _covers(wide: tuple[str, tuple[str, ...]], narrow: tuple[str, tuple[str, ...]], plain: str) -> bool:
    if wide in (narrow, (plain, ("*",))):
        return _UNKNOWN not in wide[1]
    return wide[0] == narrow[0] == plain and _matches(wide[1][0], narrow[1][0])


def _matches(pattern: str, text: str) -> bool:
    """Whether a pattern covers all that another one does; the other's wildcards match a `*` only."""
    return _glob(pattern, r"[^*\0]").fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _glob(pattern: str, one: str) -> re.Pattern[str]:
    signs = {"*": ".*", "?": one}
    return re.compile("".join(signs.get(sign) or re.escape(sign) for sign in pattern), re.DOTALL)


def subtract(rights: Iterable[Right], others: Iterable[Right]) -> tuple[Right, ...]:
    """The rights that none of the others covers, in order, each once."""
    those = frozenset(others)
    left = dict.fromkeys(
        right
        for right in rights
        if right not in those or _is_unknown("".join((*right.actions, right.condition)))
    )
    wide = [other for other in those if _is_wide(other)]
    return tuple(right for right in left if not any(covers(other, right) for other in wide))


def _is_wide(right: Right) -> bool:
    """Whether it can cover another than itself."""
    return not right.condition or any(
        "*" in text or "?" in text for text in (*right.actions, *right.resources)
    )


def is_known(right: Right) -> bool:
    """Whether it holds no symbol."""
    return not any(SYMBOL.search(text) for text in (*right.actions, *right.resources, right.condition))


def _is_unknown(text: object) -> bool:
    return isinstance(text, str) and _UNKNOWN in text


def may_be(unknown: Right, known: Right) -> bool:
    """Whether the right can be this one once its symbols have values."""
    return (
        unknown.effect == known.effect
        and _may_be(unknown.actions, known.actions, fixed=unknown.verb == known.verb)
        and _may_be(unknown.resources, known.resources, fixed=unknown.noun == known.noun)
        and (unknown.condition == known.condition or SYMBOL.search(unknown.condition) is not None)
    )


def _may_be(unknown: tuple[str, ...], known: tuple[str, ...], *, fixed: bool) -> bool:
    if not any(SYMBOL.search(text) for text in unknown):
        return fixed and unknown == known
    if unknown == (_UNKNOWN,):
        return True
    return fixed and (len(unknown) > 1 or all(_template(unknown[0]).fullmatch(text) for text in known))


@lru_cache(maxsize=4096)
def _template(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, SYMBOL.split(text))), re.DOTALL | re.IGNORECASE)


def overlap(one: Right, other: Right) -> bool:
    """Whether a request can fall under both, conditions aside; symbols stand for anything."""
    return (
        one.verb != "Action" or other.verb != "Action" or _overlap(one.actions[0], other.actions[0])
    ) and (
        one.noun != "Resource" or other.noun != "Resource" or _overlap(one.resources[0], other.resources[0])
    )


def _overlap(one: str, other: str) -> bool:
    """Whether two patterns have a text in common: the reachable pairs of places in both, row by row."""
    first, second = SYMBOL.sub("*", one), SYMBOL.sub("*", other)
    row = _spread({0}, second)
    for sign in first:
        if sign == "*":
            low = min(row, default=len(second) + 1)
            row = set(range(low, len(second) + 1))
            continue
        stay = {place for place in row if place < len(second) and second[place] == "*"}
        steps = {
            place + 1
            for place in row
            if place < len(second) and (sign == "?" or second[place] in {"?", sign})
        }
        row = _spread(stay | steps, second)
    return len(second) in row


def _spread(row: set[int], pattern: str) -> set[int]:
    """The places that are reached without a sign: a `*` may stand for nothing."""
    found = set(row)
    for place in sorted(row):
        following = place
        while following < len(pattern) and pattern[following] == "*":
            following += 1
            found.add(following)
    return found


def make_statements(rights: Iterable[Right]) -> tuple[dict[str, Any], ...]:
    """Statements that give exactly these rights; actions on the same resources share one."""
    shared: dict[tuple[str, str], dict[str, set[str]]] = {}
    found: list[dict[str, Any]] = []
    for right in dict.fromkeys(rights):
        if (right.verb, right.noun) == ("Action", "Resource"):
            actions = shared.setdefault((right.effect, right.condition), {})
            actions.setdefault(right.actions[0], set()).add(right.resources[0])
        else:
            found.append(
                _statement(
                    right.effect, right.condition, **{right.verb: right.actions, right.noun: right.resources}
                )
            )
    for (effect, condition), actions in shared.items():
        groups: dict[tuple[str, ...], list[str]] = {}
        for action, resources in actions.items():
            groups.setdefault(tuple(sorted(resources)), []).append(action)
        found += [
            _statement(effect, condition, Action=tuple(sorted(names)), Resource=resources)
            for resources, names in groups.items()
        ]
    return tuple(sorted(found, key=lambda statement: json.dumps(statement, sort_keys=True)))


def _statement(effect: str, condition: str, **parts: tuple[str, ...]) -> dict[str, Any]:
    named = {key: items[0] if len(items) == 1 else list(items) for key, items in parts.items()}
    return {"Effect": effect, **named, **({"Condition": json.loads(condition)} if condition else {})}


def shorten(rights: Iterable[Right]) -> str:
    """What the rights are, for a sentence: `sqs:sendmessage on arn:…`, at most the first few."""
    named = [f"{', '.join(right.actions)} on {', '.join(right.resources)}" for right in rights]
    shown = "; ".join(SYMBOL.sub("…", text) for text in named[:_SHOWN])
    return shown + (f"; and {len(named) - _SHOWN} more" if len(named) > _SHOWN else "")


_SHOWN: Final = 5
