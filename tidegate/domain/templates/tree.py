"""The tree of a service's templates: its own, and those of the nested stacks that lie in the same source.

Each is packaged, translated and normalized for itself, by the path of its stack. What a child knows of its
parameters comes from its parent here, and a parent knows its children by the content of their templates, so
that a template alone brings the whole tree back. May not read files, nor judge what a template holds.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-nested-stacks.html
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tidegate.domain.errors import UnsupportedTemplate
from tidegate.domain.nesting import SEPARATOR, split

from .intrinsics import call, copy
from .literals import UNKNOWN, Literals
from .template import properties_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from .template import Template

STACK: Final = "AWS::CloudFormation::Stack"
APPLICATION: Final = "AWS::Serverless::Application"
_LOCATIONS: Final = {STACK: "TemplateURL", APPLICATION: "Location"}
# CloudFormation names no depth; deeper than this a tree is a mistake rather than a service.
MAX_DEPTH: Final = 5
_OWN: Final = re.compile(r"https://[^\"/]+/packages/[0-9a-f]{64}\.json")
MAX_STACKS: Final = 100


class ChildSource(NamedTuple):
    """A nested stack whose template is a file of the source; `file` is relative to the parent's."""

    logical_id: str
    file: str
    line: int


class Linked(NamedTuple):
    """The root's template with its children in it by address, and the bodies of theirs by key."""

    root: dict[str, Any]
    bodies: dict[str, bytes]


def find_children(template: Template) -> tuple[ChildSource, ...]:
    """The nested stacks of a raw template that have local templates, in its order."""
    return tuple(
        ChildSource(logical_id, file, template.lines.get(logical_id, 0))
        for logical_id, resource in template.of_type(*_LOCATIONS)
        if (file := local_template(resource)) is not None
    )


def local_template(resource: Mapping[str, Any]) -> str | None:
    """The path of a nested stack's template; None where it is an address, or only the deployment knows it."""
    value = properties_of(resource).get(_LOCATIONS[resource["Type"]])
    return (
        value if isinstance(value, str) and not value.startswith(("https://", "http://", "s3://")) else None
    )


def check_place(template: Template, child: ChildSource, file: str, above: tuple[str, ...]) -> None:
    """Raise UnsupportedTemplate for a template that nests itself, or that lies too deep.

    above: the files of the templates that it is nested in, the root's first.
    """
    if file in above:
        circle = " -> ".join((*above[above.index(file) :], file))
        message = f"{child.logical_id} nests a template in itself: {circle}"
        raise UnsupportedTemplate(message, **template.place_of(child.logical_id))
    if len(above) > MAX_DEPTH:
        message = f"{child.logical_id} is nested more than {MAX_DEPTH} deep: {' -> '.join(above)}"
        raise UnsupportedTemplate(message, **template.place_of(child.logical_id))


def pass_parameters(
    parent: Template, given: Mapping[str, str], logical_id: str, child: Template
) -> dict[str, str]:
    """What a child's parameters are: the parent's literals, and UNKNOWN for what only the deployment knows.

    A parameter that the parent does not pass is not among them: the child's default holds. Pseudo parameters,
    such as the region, are the parent's own.
    """
    literals = Literals(parent, given)
    passed = literals.read_if_known(properties_of(parent.data["Resources"][logical_id]).get("Parameters"))
    own = {key: value for key, value in given.items() if key.startswith("AWS::")}
    if call(passed)[0]:
        return {**own, **dict.fromkeys(child.data.get("Parameters") or {}, UNKNOWN)}
    values = {key: literals.read_if_known(value) for key, value in (passed or {}).items()}
    return {**own, **{key: write_parameter(value) for key, value in values.items() if value is not None}}


def write_parameter(value: Any) -> str:  # noqa: ANN401
    """A parameter's value as CloudFormation is given it; UNKNOWN for one that holds a call."""
    if isinstance(value, dict):
        return UNKNOWN
    if isinstance(value, list):
        items = [write_parameter(item) for item in value]
        return UNKNOWN if UNKNOWN in items else ",".join(items)
    return str(value).lower() if isinstance(value, bool) else str(value)


def dump(template: Mapping[str, Any]) -> bytes:
    """The template as it is uploaded; the same template gives the same bytes."""
    return json.dumps(template, separators=(",", ":"), sort_keys=True).encode()


def link(templates: Mapping[str, Mapping[str, Any]], locate: Callable[[str], str]) -> Linked:
    """The templates of a tree, by path, put together: each child's address stands in its parent.

    locate: the address of the object with a key. A child that is not among the templates is left as it is.
    """
    linked: dict[str, dict[str, Any]] = {path: copy(dict(template)) for path, template in templates.items()}
    bodies: dict[str, bytes] = {}
    for path in sorted(linked.keys() - {""}, key=lambda one: -one.count(SEPARATOR)):
        body = dump(linked[path])
        key = f"packages/{hashlib.sha256(body).hexdigest()}.json"
        bodies[key] = body
        parent, logical_id = split(path)
        linked[parent]["Resources"][logical_id].setdefault("Properties", {})["TemplateURL"] = locate(key)
    return Linked(linked[""], bodies)


def has_children(template: str) -> bool:
    """Whether a template that was put together here, as text, has nested stacks of the service's own."""
    return STACK in template and _OWN.search(template) is not None


def with_parents(paths: Iterable[str]) -> frozenset[str]:
    """The paths, and those of all stacks that they are nested in, the root's among them."""
    return frozenset(above for path in paths for above in _climb(path))


def _climb(path: str) -> Iterator[str]:
    while path:
        yield path
        path = split(path)[0]
    yield path
