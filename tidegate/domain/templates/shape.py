"""Whether a template has the frame that every other module takes for granted.

Checked once, when text has become data; a mistake is an InvalidTemplate with the resource and its line. May
not judge a resource's own properties: that is CloudFormation's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tidegate.domain.errors import InvalidTemplate

from .intrinsics import GET_ATT, JOIN, REF, SUB, is_intrinsic

if TYPE_CHECKING:
    from .template import Template

_SECTIONS = ("Conditions", "Globals", "Mappings", "Metadata", "Outputs", "Parameters")
_TEXTS = ("BuildMethod", "aws:asset:path", "aws:asset:property")


def check_shape(template: Template) -> Template:
    """The template, if its frame and its intrinsic functions are right.

    Raises InvalidTemplate with the line of the first resource that is wrong.
    """
    for name in _SECTIONS:
        if message := _section_mistake(name, template.data.get(name)):
            raise InvalidTemplate(message, file=template.file)
    resources = template.data.get("Resources")
    if not isinstance(resources, dict) or not resources:
        raise InvalidTemplate(
            "a template needs a Resources section with at least one resource", file=template.file
        )
    for logical_id, resource in resources.items():
        message = "" if logical_id.startswith("Fn::ForEach::") else _mistake(logical_id, resource)
        if message := message or _call_mistake(template, logical_id, resource):
            raise InvalidTemplate(message, **template.place_of(logical_id))
    for name in _SECTIONS:
        if message := _call_mistake(template, name, template.data.get(name)):
            raise InvalidTemplate(message, file=template.file)
    return template


def _section_mistake(name: str, section: object) -> str:
    if not isinstance(section, Mapping | None):
        return f"the section {name} must be a mapping"
    if name == "Globals" and not isinstance((section or {}).get("Function"), Mapping | None):
        return "Globals.Function must be a mapping"
    return ""


def _call_mistake(template: Template, where: str, value: object) -> str:
    """Language extensions allow more forms; refuse_unsupported names them."""
    if "AWS::LanguageExtensions" in template.transforms:
        return ""
    return next((f"{name} in {where} is malformed" for name in malformed(value)), "")


def _mistake(logical_id: str, resource: object) -> str:
    if not isinstance(resource, Mapping):
        return f"resource {logical_id} must be a mapping"
    if not isinstance(resource.get("Type"), str):
        return f"resource {logical_id} needs a Type"
    for name in ("Properties", "Metadata"):
        if not isinstance(resource.get(name), Mapping | None):
            return f"{name} of {logical_id} must be a mapping"
    if not _is_text(resource.get("DependsOn", [])):
        return f"DependsOn of {logical_id} must be names of resources"
    metadata = resource.get("Metadata") or {}
    wrong = [name for name in _TEXTS if not isinstance(metadata.get(name, ""), str)]
    return f"Metadata {wrong[0]} of {logical_id} must be text" if wrong else ""


def malformed(value: object) -> Iterator[str]:
    """The names of the intrinsic functions in a value whose arguments have the wrong form."""
    if isinstance(value, dict):
        if is_intrinsic(value):
            name, argument = next(iter(value.items()))
            if not _is_well_formed(name, argument):
                yield name
        for item in value.values():
            yield from malformed(item)
    elif isinstance(value, list):
        for item in value:
            yield from malformed(item)


def _is_well_formed(name: str, argument: Any) -> bool:  # noqa: ANN401
    pair = isinstance(argument, list) and len(argument) == 2  # noqa: PLR2004
    if name in {REF, "Condition"}:
        # A key named Condition also holds an IAM statement's conditions.
        return isinstance(argument, str) or name == "Condition"
    if name == GET_ATT:
        return pair and isinstance(argument[0], str) and isinstance(argument[1], str | dict)
    if name == SUB:
        return isinstance(argument, str) or (
            pair and isinstance(argument[0], str) and isinstance(argument[1], dict)
        )
    if name == JOIN:
        return pair and isinstance(argument[0], str) and isinstance(argument[1], list | dict)
    return True


def _is_text(value: object) -> bool:
    names = value if isinstance(value, list) else [value]
    return all(isinstance(name, str) for name in names)
