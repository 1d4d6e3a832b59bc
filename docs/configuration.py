"""The reference of tidegate.yaml, made from its pydantic model: docs/reference/configuration.md.

Every key is a row; a key without a description is an error here, so that none stays undocumented.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tidegate.domain.config import DURATION_SCHEMA, ServiceConfig, StageConfig, show_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DURATION: Final = DURATION_SCHEMA["anyOf"]
# Sections that are maps: what stands for a key of the map.
PLACES: Final = {"stages": "<stage>", "smoke": "<stage>"}
BY_STAGE: Final = ("strategy", "bake")
INTRODUCTION: Final = """\
# tidegate.yaml

Generated from `tidegate/domain/config.py` by `python -m docs`; a test holds it.

The file lies at the root of the repository. It may be left out, and so may every key. `tidegate init`
writes one with every key as a comment, `tidegate check` validates it, and
[tidegate.schema.json](tidegate.schema.json) lets an editor do so. An unknown key is refused, with its line.

```yaml
service: orders
stages:
  production:
    approval: required
    margin: 1
    longest_hold: 2h
    alarms:
      p99: 3s
smoke:
  staging:
    CreateOrder: [events/create-order.json]
```

A duration is a number of seconds, or written `90s`, `5m`, `2h` or `1d`.
`<stage>` is the name of a stage of the pipeline ([cdk.json](pipeline.md)).

What the file does not say of a stack is looked for in `samconfig.toml`: name, parameters and capabilities
in the environment that is named as the stage; where there is none, parameters and capabilities in
`default`. Parameters of both files are merged, and `tidegate.yaml` wins. Without a name of its own a stack
is named `<name>-<stage>`, after the `stack_name` of `default`, else after the service.

| key | type | default | meaning |
|---|---|---|---|
"""


def write_page() -> str:
    """The whole page."""
    return INTRODUCTION + "".join(f"{row}\n" for row in rows())


def rows() -> Iterator[str]:
    """A row of the table for each key, sections opened in their place."""
    schema = ServiceConfig.model_json_schema()
    for key, field in keys(schema, schema["$defs"]):
        if not field.get("description"):
            message = f"{key} has no description in tidegate/domain/config.py"
            raise LookupError(message)
        name, kind = key.rpartition(".")[2], describe(field, schema["$defs"])
        default = _default(name, field) if key.count(".") else _plain(field)
        cells = (f"`{key}`", kind, default, field["description"])
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def keys(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key with its field, by its path; the keys of a section follow in place of the section."""
    for name, field in schema["properties"].items():
        section = _section(field)
        if section is None:
            yield prefix + name, field
            if item := _item(field, definitions):
                yield from keys(item, definitions, f"{prefix}{name}[].")
        elif "$ref" not in field:
            yield from keys(definitions[section], definitions, f"{prefix}{name}.{PLACES[name]}.")
        else:
            yield from keys(definitions[section], definitions, f"{prefix}{name}.")


def _item(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The model of a list's items; None where they are plain values."""
    name = field.get("items", {}).get("$ref", "").rpartition("/")[2]
    found: Mapping[str, Any] = definitions.get(name, {})
    return found if "properties" in found else None


def _section(field: Mapping[str, Any]) -> str | None:
    """The model that a field holds, or holds by name; an enumeration is none."""
    name = _inner(field).get("$ref", "").rpartition("/")[2]
    return name if name.endswith("Config") else None


def _inner(field: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a map's keys lead to; the field itself if it is no map."""
    patterns: list[Mapping[str, Any]] = list(field.get("patternProperties", {}).values())
    inner: Mapping[str, Any] = patterns[0] if patterns else field.get("additionalProperties", field)
    return inner


def describe(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """A type as a person says it, with its limits."""
    options = [option for option in field.get("anyOf", ()) if option.get("type") != "null"]
    if options == DURATION:
        return "duration" + _limits(field)
    if options:
        return " or ".join(describe(option, definitions) for option in options)
    if "$ref" in field:
        named = definitions[field["$ref"].rpartition("/")[2]]
        words = [f"`{value}`" for value in named.get("enum", named.get("properties"))]
        return f"map with {', '.join(words)}" if "properties" in named else " or ".join(words)
    kind = field["type"]
    if kind == "array":
        return f"list, each {describe(field['items'], definitions)}"
    if kind == "object":
        return f"map, each {describe(_inner(field), definitions)}"
    kind = field.get("format", kind)
    return {"string": "text", "date": "date", "integer": "whole number", "number": "number"}[kind] + _limits(
        field
    )


def _limits(field: Mapping[str, Any]) -> str:
    least = field.get("minimum", field.get("exclusiveMinimum"))
    most = field.get("maximum")
    above = f"above {least:g}" if "exclusiveMinimum" in field else f"at least {least:g}" if least else ""
    below = f"at most {most:g}" if most is not None else ""
    limits = ", ".join(filter(None, (above, below)))
    return f" ({limits})" if limits else ""


def _default(name: str, field: Mapping[str, Any]) -> str:
    """The default; two for what differs between production and the other stages."""
    if name not in BY_STAGE:
        return _plain(field)
    both = (getattr(StageConfig().for_stage(production=production), name) for production in (True, False))
    production, others = (_plain({**field, "default": value}) for value in both)
    return f"production {production}, others {others}"


def _plain(field: Mapping[str, Any]) -> str:
    default = field.get("default", {} if field.get("type") == "object" else None)
    if default is None:
        return "none"
    options = [option for option in field.get("anyOf", ()) if option.get("type") != "null"]
    if options == DURATION:
        return f"`{show_duration(default)}`"
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"
