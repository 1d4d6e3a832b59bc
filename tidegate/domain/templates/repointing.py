"""Invocation targets that name a function, made to name its alias; what is left is reported.

Works on values; the table of targets says which. A reference that carries a qualifier already is the
author's will and stays, except `$LATEST`, which is the bare function under another name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .intrinsics import GET_ATT, JOIN, REF, SUB, Path, call, references, rewrite, sub_parts
from .notices import Notice, NoticeKind
from .targets import NAMES_ONLY, QUIET, split
from .template import LAMBDA_FUNCTION, properties_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .aliases import RolledFunction

_LATEST = ":$LATEST"
_MENTION = re.compile(
    r"(?P<arn>arn:[^\s\"']{1,80}?:function:)?\$\{(?P<id>[A-Za-z0-9]+)(?P<attribute>\.Arn)?\}"
    r"(?P<latest>:\$LATEST)?(?P<qualified>:[A-Za-z0-9$])?"
)
_HARD_CODED = re.compile(r":function:([A-Za-z0-9_-]+)(?![A-Za-z0-9_-])(:[A-Za-z0-9$_-]+)?")


class Repointing:
    """The rolled functions as a rewriter of values, and what it found and left alone."""

    def __init__(self, functions: tuple[RolledFunction, ...]) -> None:
        self._functions = {function.logical_id: function for function in functions}
        self._anchors = {function.anchor_logical_id: function for function in functions}
        self._names = {item.function_name: item for item in functions if isinstance(item.function_name, str)}
        self.notices: list[Notice] = []

    def repoint(self, resources: dict[str, Any]) -> None:
        """Repoint the targets of every resource, in place; note every other mention of a rolled function."""
        for logical_id, resource in resources.items():
            kind = str(resource.get("Type"))
            for path, value, is_target in list(split(kind, properties_of(resource))):
                if is_target:
                    _put(resource["Properties"], path, self.value(value, names_only=path[0] in NAMES_ONLY))
                elif kind == LAMBDA_FUNCTION or not kind.startswith(QUIET):
                    self.note(logical_id, path, value, resources)

    def value(self, value: Any, *, names_only: bool = False) -> Any:  # noqa: ANN401
        """The value with each mention of a rolled function turned into its alias."""
        if isinstance(value, str):
            named = self._names.get(value)
            return {REF: named.alias_logical_id} if named else value
        return rewrite(value, lambda part: self._change(part, names_only=names_only))

    def note(self, logical_id: str, path: Path, value: object, resources: Mapping[str, Any]) -> None:
        """Say of each mention in a value that is not a target that it goes around the canary."""
        where = f"{logical_id} ({resources[logical_id]['Type']})" if logical_id in resources else logical_id
        for place, name in self._mentions(value, path):
            if name != logical_id:
                spot = ".".join(place)
                text = f"{where} names {name} in {spot}: what invokes it there goes around the canary"
                self.notices.append(Notice(logical_id=logical_id, kind=NoticeKind.AROUND, text=text))

    def _mentions(self, value: object, path: Path) -> Iterator[tuple[Path, str]]:
        for item in references(value, path):
            if item.logical_id in self._functions and item.attribute in {"", "Arn"}:
                yield item.path, item.logical_id
            elif item.logical_id in self._anchors:
                yield item.path, self._anchors[item.logical_id].logical_id
        yield from self._hard_coded(value, path)

    def _hard_coded(self, value: object, path: Path) -> Iterator[tuple[Path, str]]:
        """The ARNs in plain text that end in the literal name of a function."""
        if isinstance(value, str):
            for match in _HARD_CODED.finditer(value):
                if match[1] in self._names and not match[2]:
                    yield path, self._names[match[1]].logical_id
        elif isinstance(value, (dict, list)):
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                yield from self._hard_coded(item, (*path, str(key)))

    def _change(self, value: Any, *, names_only: bool) -> Any:  # noqa: ANN401
        name, argument = call(value)
        if name == REF and argument in self._functions:
            function = self._functions[argument]
            return qualified_name(function) if names_only else {REF: function.alias_logical_id}
        if name == REF and argument in self._anchors:
            return {REF: self._anchors[argument].alias_logical_id}
        if name == GET_ATT and argument[0] in self._functions and argument[1:] == ["Arn"]:
            return {REF: self._functions[argument[0]].alias_logical_id}
        if name == SUB:
            return self._change_sub(value, argument, names_only=names_only)
        return self._change_join(value, argument) if name == JOIN else value

    def _change_sub(self, value: Any, argument: object, *, names_only: bool) -> Any:  # noqa: ANN401
        text, variables = sub_parts(argument)
        dropped = {key for key, item in variables.items() if self.value(item) != item}
        inner = {
            key: self.value(item, names_only=names_only or _is_name(text, key))
            for key, item in variables.items()
        }
        changed = _MENTION.sub(lambda found: self._mention(found, variables, dropped, text), text)
        if changed == text and inner == variables:
            return value
        return {SUB: [changed, inner] if variables else changed}

    def _mention(
        self, found: re.Match[str], variables: Mapping[str, Any], dropped: set[str], text: str
    ) -> str:
        if found["id"] in variables:
            return found[0].replace(_LATEST, "") if found["id"] in dropped else found[0]
        if found["id"] in self._anchors and not found["attribute"]:
            return "${" + self._anchors[found["id"]].alias_logical_id + "}"
        if found["id"] not in self._functions or found["qualified"]:
            return found[0]
        function = self._functions[found["id"]]
        if found["arn"] or found["attribute"]:
            return "${" + function.alias_logical_id + "}"
        return self._bare_name(found, function, text)

    def _bare_name(self, found: re.Match[str], function: RolledFunction, text: str) -> str:
        """A name alone in a text is the function only where a whole string or ARN part ends with it."""
        before, after = text[: found.start()], text[found.end() :]
        whole = (not before or before.endswith(('"', ":function:"))) and (
            not after or after.startswith(('"', "/"))
        )
        if not whole or not isinstance(function.alias_name, str):
            return found[0]
        return "${" + function.logical_id + "}:" + function.alias_name

    def _change_join(self, value: Any, argument: Any) -> Any:  # noqa: ANN401
        if not (isinstance(argument, list) and len(argument) == 2 and isinstance(argument[1], list)):  # noqa: PLR2004
            return value
        separator, pieces = argument
        result: list[Any] = []
        skip = False
        for index, piece in enumerate(pieces):
            following = pieces[index + 1] if index + 1 < len(pieces) else ""
            if skip and isinstance(piece, str):
                if rest := piece.removeprefix(_LATEST if not separator else _LATEST[1:]):
                    result.append(rest)
                skip = False
                continue
            changed = self._join_piece(piece, separator, following)
            skip = (
                changed != piece
                and isinstance(following, str)
                and (separator + following).startswith(_LATEST)
            )
            result.append(changed)
        return value if result == pieces else {JOIN: [separator, result]}

    def _join_piece(self, piece: Any, separator: str, following: Any) -> Any:  # noqa: ANN401
        follows = separator + following if isinstance(following, str) else separator + "?"
        if follows.startswith(":") and len(follows) > 1 and not follows.startswith(_LATEST):
            return piece
        return self.value(piece, names_only=True) if isinstance(piece, dict) else piece


def qualified_name(function: RolledFunction) -> dict[str, Any]:
    """`name:alias`, which stands wherever a name may stand and at the end of an ARN."""
    if isinstance(function.alias_name, str):
        return {SUB: "${" + function.logical_id + "}:" + function.alias_name}
    return {JOIN: [":", [{REF: function.logical_id}, function.alias_name]]}


def _is_name(text: str, variable: str) -> bool:
    return f":function:${{{variable}}}" in text


def _put(target: Any, path: Path, value: Any) -> None:  # noqa: ANN401
    for part in path[:-1]:
        target = target[int(part)] if isinstance(target, list) else target[part]
    last: Any = int(path[-1]) if isinstance(target, list) else path[-1]
    target[last] = value
