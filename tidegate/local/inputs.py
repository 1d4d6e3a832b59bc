"""What a target receives of an event: all of it, a part, a constant, or a template filled in. Pure.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, TypeAlias

Json: TypeAlias = dict[str, Any]
MISSING: Final = object()
STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\['([^']+)'\]|(\[\*\])")
VARIABLE: Final = re.compile(r"<([A-Za-z0-9_.\-]+)>")


def shape(target: Json, event: Json, rule: Json) -> str:
    """Give the text for a target; `rule` is `{"arn", "name"}` of the rule that matched."""
    if target.get("Input") is not None:
        return str(target["Input"])
    if target.get("InputPath"):
        found = select(target["InputPath"], event)
        return json.dumps(None if found is MISSING else found)
    transformer = target.get("InputTransformer")
    if transformer:
        return fill(
            transformer["InputTemplate"], _variables(transformer.get("InputPathsMap") or {}, event, rule)
        )
    return json.dumps({key: value for key, value in event.items() if key != "ingestion-time"})


def _variables(paths: dict[str, str], event: Json, rule: Json) -> Json:
    whole = {key: value for key, value in event.items() if key != "ingestion-time"}
    reserved = {
        "aws.events.rule-arn": rule["arn"],
        "aws.events.rule-name": rule["name"],
        "aws.events.event": {key: value for key, value in whole.items() if key != "detail"},
        "aws.events.event.json": whole,
        "aws.events.event.ingestion-time": event.get("ingestion-time", event.get("time")),
    }
    return {**reserved, **{name: select(path, event) for name, path in paths.items()}}


def select(path: str, document: Any) -> Any:  # noqa: ANN401
    """Follow a path such as `$.detail.items[0].name`; MISSING if it leads nowhere."""
    rest = path.removeprefix("$")
    if STEP.sub("", rest):
        raise ValueError(f"The path {path} is not supported")
    found = document
    for name, index, quoted, star in STEP.findall(rest):
        if star:
            continue
        key: Any = int(index) if index else name or quoted
        try:
            found = found[key]
        except (KeyError, IndexError, TypeError):
            return MISSING
    return found


def fill(template: str, variables: Json) -> str:
    """Replace each `<variable>`: within quotes by its text, elsewhere by its JSON."""
    parts: list[str] = []
    last = 0
    quoted = False
    for hit in VARIABLE.finditer(template):
        between = template[last : hit.start()]
        quoted ^= _toggles(between)
        parts += [between, _render(variables.get(hit[1], MISSING), quoted=quoted)]
        last = hit.end()
    return "".join([*parts, template[last:]])


def _toggles(text: str) -> bool:
    return len(re.findall(r'(?<!\\)"', text)) % 2 == 1


def _render(value: Any, *, quoted: bool) -> str:  # noqa: ANN401
    if value is MISSING:
        return "" if quoted else '""'
    if not quoted:
        return json.dumps(value)
    return json.dumps(value if isinstance(value, str) else json.dumps(value))[1:-1]
