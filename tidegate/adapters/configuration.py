"""Reads tidegate.yaml: every error names its line and what to do about it.

The file is written by whoever pushes a commit: its size, its depth and what its aliases expand to are
limited, and a key that stands twice is refused, since one of the two would be lost.
"""

from __future__ import annotations

import difflib
import json
import re
from typing import TYPE_CHECKING, Any, Final, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from tidegate.domain.config import ServiceConfig, show_duration
from tidegate.domain.errors import InvalidConfiguration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic_core import ErrorDetails

Model = TypeVar("Model", bound=BaseModel)
MAX_TEXT: Final = 256_000
MAX_DEPTH: Final = 30
MAX_NODES: Final = 10_000
SHOWN: Final = 3
DURATION: Final = re.compile(r"\s*\d+[smhd]\s*")
LIMITS: Final = {"le", "lt", "ge", "gt"}
PLAIN: Final = {
    "string_type": "must be text; write the value in quotes",
    "tuple_type": "must be a list",
    "dict_type": "must hold names and values",
    "model_type": "must hold names and values",
    "string_pattern_mismatch": "must be lower-case letters, digits, hyphens; a letter first, {most} at most",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_type": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "less_than_equal": "must be {le} at most",
    "less_than": "must be less than {lt}",
    "greater_than_equal": "must be {ge} or more",
    "greater_than": "must be more than {gt}",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
}


def read_config(text: str, file: str = "tidegate.yaml") -> ServiceConfig:
    """The configuration, or InvalidConfiguration with file, line and hint; empty is all defaults."""
    config = read_model(text, file, ServiceConfig)
    for name, stage in config.stages.items():
        if stage.conflict:
            place = ("stages", name, "least_time")
            line = find_key(text, file, place)
            raise InvalidConfiguration(f"{'.'.join(place)} {stage.conflict}", file=file, line=line)
    return config


def read_model(text: str, file: str, model: type[Model]) -> Model:
    """The same for any model that has a default for everything."""
    data, root = read_yaml(text, file)
    if root is None:
        return model()
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _explain(error, root, file, model) from None


def json_schema() -> str:
    """The configuration's JSON Schema (2020-12), for editors."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **ServiceConfig.model_json_schema()}
    return json.dumps({**schema, "title": "tidegate.yaml"}, indent=2) + "\n"


def read_yaml(text: str, file: str) -> tuple[Any, yaml.Node | None]:
    """One YAML document as plain data and as nodes with their lines; InvalidConfiguration otherwise."""
    if len(text) > MAX_TEXT:
        raise InvalidConfiguration(f"the file is larger than {MAX_TEXT:,} characters", file=file)
    try:
        return _load(text, file)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        message = f"not valid YAML: {error.problem or error.context}"
        raise InvalidConfiguration(message, file=file, line=line) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        message = f"not valid YAML: {' '.join(str(error).split())}"
        raise InvalidConfiguration(message, file=file, line=1) from None


def find_key(text: str, file: str, place: Sequence[str]) -> int:
    """The line of a key that stands below others in a file; of the deepest one that is there."""
    _, root = read_yaml(text, file)
    return _find_line(root, place) if root is not None else 1


def _load(text: str, file: str) -> tuple[Any, yaml.Node | None]:
    loader = yaml.SafeLoader(text)
    root = loader.get_single_node()
    if root is None:
        return None, None
    for count, _ in enumerate(_check_nodes(root, file, 0)):
        if count > MAX_NODES:
            raise InvalidConfiguration(f"the file holds more than {MAX_NODES:,} values", file=file)
    return loader.construct_document(root), root


def _check_nodes(node: yaml.Node, file: str, depth: int) -> Iterator[None]:
    """Visit each value as often as it is used, so that what an alias expands to is counted."""
    if depth > MAX_DEPTH:
        raise InvalidConfiguration(f"nested deeper than {MAX_DEPTH}", file=file, line=_line(node))
    yield
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _check_nodes(item, file, depth + 1)
    elif isinstance(node, yaml.MappingNode):
        _check_keys(node, file)
        for key, value in node.value:
            yield from _check_nodes(key, file, depth + 1)
            yield from _check_nodes(value, file, depth + 1)


def _check_keys(node: yaml.MappingNode, file: str) -> None:
    first: dict[str, int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise InvalidConfiguration("a key must be plain text", file=file, line=_line(key))
        if key.value in first:
            message = f"{key.value} stands twice; it stood in line {first[key.value]} already"
            raise InvalidConfiguration(message, file=file, line=_line(key))
        first[key.value] = _line(key)


def _explain(
    error: ValidationError, root: yaml.Node, file: str, model: type[BaseModel]
) -> InvalidConfiguration:
    told = [_tell(problem, root, model) for problem in error.errors()]
    first, *others = sorted(told)
    more = "".join(f"; line {line}: {text}" for line, text in others[: SHOWN - 1])
    left = f"; and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    return InvalidConfiguration(f"{first[1]}{more}{left}", file=file, line=first[0])


def _tell(problem: ErrorDetails, root: yaml.Node, model: type[BaseModel]) -> tuple[int, str]:
    place = [part for part in problem["loc"] if part != "[key]"]
    name = ".".join(str(part) for part in place) or "the file"
    line = _find_line(root, place)
    if problem["type"] == "extra_forbidden":
        return line, f"{name} is unknown; {_suggest(place, model)}"
    return line, f"{name}: {say(problem, _read_text(root, place))}"


def say(problem: ErrorDetails, text: str | None = None) -> str:
    """What is wrong with a value, and the value, in words of one's own where there are some.

    `text` is how the value is written, where that is known.
    """
    kind = problem["type"]
    given = text if text is not None and DURATION.fullmatch(text) else problem["input"]
    if kind in PLAIN:
        message = PLAIN[kind].format(
            **_read_limits(problem, lasts=DURATION.fullmatch(str(given)) is not None)
        )
        percent = isinstance(given, str) and given.strip().endswith("%") and message == PLAIN["float_parsing"]
        message += "; it is in percent as it is, so write it without the sign" if percent else ""
    elif kind == "value_error":
        message = problem["msg"].removeprefix("Value error, ")
    else:
        message = problem["msg"][:1].lower() + problem["msg"][1:]
    shown = isinstance(given, (str, int, float)) and str(given) not in message
    return f"{message} (it is {given!r})" if shown else message


def _read_limits(problem: ErrorDetails, *, lasts: bool) -> dict[str, object]:
    """What an error's words are filled in with: durations as they are written, lengths of names."""
    context = dict(problem.get("ctx", {}))
    found: dict[str, object] = {
        key: show_duration(value) if lasts else f"{value:g}"
        for key, value in context.items()
        if key in LIMITS
    }
    if "pattern" in context:
        found["most"] = int(max(re.findall(r"\d+(?=\})", context["pattern"]), default=0)) + 2
    return context | found


def _suggest(place: Sequence[int | str], model: type[BaseModel]) -> str:
    known = _keys_at(place[:-1], model)
    close = difflib.get_close_matches(str(place[-1]), known, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"


def _keys_at(place: Sequence[int | str], model: type[BaseModel]) -> list[str]:
    """The keys that the model knows at a place; of all alternatives where there are some."""
    schema: dict[str, Any] = model.model_json_schema()
    nodes = [schema]
    for part in place:
        below = [inner for node in nodes for inner in _go_down(node, part)]
        nodes = [node for inner in below for node in _resolve(inner, schema)] or _choose(nodes, part)
    return sorted({key for node in nodes for key in node.get("properties", {})})


def _choose(nodes: list[dict[str, Any]], tag: int | str) -> list[dict[str, Any]]:
    """Of alternatives the one that a tag names: its tag stands as a constant, or in none where it is free."""
    constants = [{one.get("const") for one in node.get("properties", {}).values()} - {None} for node in nodes]
    named = [node for node, found in zip(nodes, constants, strict=True) if tag in found]
    free = [node for node, found in zip(nodes, constants, strict=True) if not found]
    return named or free or nodes


def _go_down(node: dict[str, Any], part: int | str) -> list[dict[str, Any]]:
    found = node.get("items") if isinstance(part, int) else node.get("properties", {}).get(part)
    found = (
        found
        or node.get("additionalProperties")
        or next(iter(node.get("patternProperties", {}).values()), None)
    )
    return [found] if isinstance(found, dict) else []


def _resolve(node: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The schemas behind a reference or a choice of some."""
    if "$ref" in node:
        return _resolve(schema["$defs"][node["$ref"].rpartition("/")[2]], schema)
    choices = node.get("anyOf") or node.get("oneOf")
    return [found for choice in choices for found in _resolve(choice, schema)] if choices else [node]


def _find_line(root: yaml.Node, place: Sequence[int | str]) -> int:
    """The line of the deepest node on the way to a place; for a key of a mapping, the key's own."""
    node, line = root, _line(root)
    for part in place:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if pair is None:
                continue  # it names an alternative, or is missing
            line, node = _line(pair[0]), pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = _line(node)
    return line


def _read_text(root: yaml.Node, place: Sequence[int | str]) -> str | None:
    """The text of the value at a place, where it is one value."""
    node: yaml.Node | None = root
    for part in place:
        if isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == str(part)), node)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
    return str(node.value) if isinstance(node, yaml.ScalarNode) else None


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
