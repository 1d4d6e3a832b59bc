"""What of a template this local cloud cannot make, and what it keeps as a record only, known beforehand.

Exists so that a service is refused before anything is built, with every obstacle at once. May only look.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from tidegate.local.compute.configuration import ABSENT
from tidegate.local.public_layers import ARN, find_public
from tidegate.local.resources import kinds, load
from tidegate.local.resources.records import RECORDS
from tidegate.local.stack_errors import ResourceFailure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Availability(NamedTuple):
    """Sentences about what cannot be made, and the resources that are kept as records: `Acl (AWS::…)`."""

    absent: tuple[str, ...]
    recorded: tuple[str, ...]


def look_at(template: Mapping[str, Any], account: str) -> Availability:
    """Look at a translated template that is to be deployed in `account`."""
    load()
    resources = {name: one for name, one in template["Resources"].items() if isinstance(one, dict)}
    named = {name: f"{name} ({one.get('Type')})" for name, one in resources.items()}
    absent = [
        f"{named[name]}{reason}" for name, one in resources.items() for reason in _obstacles(one, account)
    ]
    recorded = [named[name] for name, one in resources.items() if one.get("Type") in RECORDS]
    return Availability(tuple(absent), tuple(recorded))


def _obstacles(resource: Mapping[str, Any], account: str) -> Iterator[str]:
    kind, properties = str(resource.get("Type")), resource.get("Properties") or {}
    try:
        kinds.find(kind)
    except ResourceFailure:
        yield ""
    if kind == "AWS::Lambda::Function":
        yield from (f" with {name}" for name in ABSENT if properties.get(name))
        yield from (f" with the layer {layer}" for layer in _strange_layers(properties, account))


def _strange_layers(properties: Mapping[str, Any], account: str) -> Iterator[str]:
    layers = properties.get("Layers")
    for layer in layers if isinstance(layers, list) else ():
        text = layer.get("Fn::Sub") if isinstance(layer, dict) else layer
        arn = re.sub(r"\$\{AWS::(Region|Partition)\}", "aws", text) if isinstance(text, str) else ""
        if ARN.fullmatch(arn) and f":{account}:" not in arn and find_public(arn) is None:
            yield str(text)
