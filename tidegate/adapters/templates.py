"""Template text into plain data, by PyYAML and json.

May not decide anything about a template: that is the domain's (tidegate.domain.templates).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any, Final, TypeAlias

import yaml

from tidegate.domain.errors import InvalidTemplate
from tidegate.domain.templates.shape import check_shape
from tidegate.domain.templates.template import Template

MAX_TEXT_BYTES: Final = 4 * 1024 * 1024
MAX_NODES: Final = 1_000_000
MAX_DEPTH: Final = 200
_SHORT_FORMS = frozenset(
    [
        "And",
        "Base64",
        "Cidr",
        "Contains",
        "EachMemberEquals",
        "EachMemberIn",
        "Equals",
        "FindInMap",
        "ForEach",
        "GetAtt",
        "GetAZs",
        "If",
        "ImportValue",
        "Join",
        "Length",
        "Not",
        "Or",
        "RefAll",
        "Select",
        "Split",
        "Sub",
        "ToJsonString",
        "Transform",
        "ValueOf",
        "ValueOfAll",
    ]
)
_MERGE, _TIMESTAMP = "tag:yaml.org,2002:merge", "tag:yaml.org,2002:timestamp"


def parse(text: str, file: str) -> Template:
    """A template from YAML or JSON text, with the line (from 1) of each logical id.

    Short forms (`!Ref`) become calls, dates stay text, keys are text, YAML aliases are copied out. Of a key
    that stands twice the last one counts, as for CloudFormation's own tools, and `doubles` names it.
    Raises InvalidTemplate, with the line where there is one.
    """
    data, lines, doubles = _read(text, file)
    if not isinstance(data, dict):
        raise InvalidTemplate("a template must be a mapping", file=file)
    return check_shape(Template(data=data, lines=lines, file=file, doubles=tuple(doubles)))


def parse_part(text: str, file: str) -> Any:  # noqa: ANN401
    """Data of any kind from YAML or JSON text that a template includes; InvalidTemplate as for `parse`."""
    return _read(text, file)[0]


def _read(text: str, file: str) -> _Reading:
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise InvalidTemplate(f"the template is larger than {MAX_TEXT_BYTES} bytes", file=file)
    try:
        return _read_json(text) if text.lstrip().startswith("{") else _read_yaml(text)
    except _WrongError as error:
        raise InvalidTemplate(str(error), file=file, line=error.line) from None
    except RecursionError:
        raise InvalidTemplate("the template is nested too deeply", file=file) from None


class _WrongError(Exception):
    """What is wrong with the text, and in which line; never leaves this module."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


_Reading: TypeAlias = tuple[Any, dict[str, int], list[str]]


def _read_json(text: str) -> _Reading:
    doubles: list[str] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        counts = Counter(key for key, _ in pairs)
        doubles.extend(f"the key {key} stands twice" for key, count in counts.items() if count > 1)
        return _call_form(dict(pairs))

    try:
        data = json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise _WrongError(error.msg, error.lineno) from None
    return data, _json_lines(text, data), doubles


def _json_lines(text: str, data: Any) -> dict[str, int]:  # noqa: ANN401
    resources = data.get("Resources") if isinstance(data, dict) else None
    names = set(resources) if isinstance(resources, dict) else set()
    lines: dict[str, int] = {}
    start = max(text.find('"Resources"'), 0)
    line, last = text.count("\n", 0, start) + 1, start
    for found in re.compile(r'"([A-Za-z0-9]+)"\s*:\s*\{').finditer(text, start):
        line, last = line + text.count("\n", last, found.start()), found.start()
        if found[1] in names:
            lines.setdefault(found[1], line)
    return lines


def _read_yaml(text: str) -> _Reading:
    loader = yaml.CSafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise _WrongError("the template is empty")
        reader = _Reader(loader)
        return reader.read(node, 0), _yaml_lines(node), reader.doubles
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise _WrongError(str(error.problem or error.context), line) from None
    except yaml.YAMLError as error:
        raise _WrongError(" ".join(str(error).split())) from None
    finally:
        loader.dispose()


def _yaml_lines(root: yaml.Node) -> dict[str, int]:
    resources = next((value for key, value in _pairs(root) if key.value == "Resources"), None)
    return {str(key.value): key.start_mark.line + 1 for key, _ in _pairs(resources)}


def _pairs(node: yaml.Node | None) -> list[tuple[yaml.Node, yaml.Node]]:
    return list(node.value) if isinstance(node, yaml.MappingNode) else []


class _Reader:
    """YAML nodes into plain data; bounded, since an alias may stand for very much."""

    def __init__(self, loader: yaml.CSafeLoader) -> None:
        self._loader = loader
        self._left = MAX_NODES
        self.doubles: list[str] = []

    def read(self, node: yaml.Node, depth: int) -> Any:  # noqa: ANN401
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            raise self._error("the template is too large or nested too deeply", node)
        value = self._value(node, depth + 1)
        return value if node.tag.startswith("tag:yaml.org,2002:") else self._short_form(node, value)

    def _value(self, node: yaml.Node, depth: int) -> Any:  # noqa: ANN401
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, depth) for item in node.value]
        if node.tag == _TIMESTAMP or not node.tag.startswith("tag:yaml.org,2002:"):
            return node.value
        return self._loader.construct_object(node)

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key, item in node.value:
            if key.tag == _MERGE:
                sources = item.value if isinstance(item, yaml.SequenceNode) else [item]
                for source in reversed(sources):
                    merged |= self.read(source, depth)
                continue
            if not isinstance(key, yaml.ScalarNode):
                raise self._error("a key must be text", key)
            if key.value in own:
                self.doubles.append(f"line {key.start_mark.line + 1}: the key {key.value} stands twice")
            own[key.value] = self.read(item, depth)
        return _call_form({**merged, **own})

    def _short_form(self, node: yaml.Node, value: Any) -> dict[str, Any]:  # noqa: ANN401
        name = node.tag.removeprefix("!")
        if name in {"Ref", "Condition"}:
            return {name: value}
        if name not in _SHORT_FORMS:
            raise self._error(f"the tag {node.tag} is not an intrinsic function", node)
        return _call_form({f"Fn::{name}": value})

    def _error(self, message: str, node: yaml.Node) -> _WrongError:
        return _WrongError(message, node.start_mark.line + 1)


def _call_form(value: dict[str, Any]) -> dict[str, Any]:
    """`Fn::GetAtt: F.Arn` and `[F, Outputs, X]` in the one form with two items."""
    argument = value.get("Fn::GetAtt") if len(value) == 1 else None
    if isinstance(argument, str):
        return {"Fn::GetAtt": argument.split(".", 1)}
    return value
