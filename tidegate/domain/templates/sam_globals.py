"""The Globals section of a SAM template, merged into a function's properties as the translator would.

Mappings are merged, lists are joined, the function's own value wins; Architectures is replaced.
https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy-globals.html
"""

from __future__ import annotations

from typing import Any

from .intrinsics import is_intrinsic
from .template import SERVERLESS_FUNCTION, Template, properties_of

_REPLACED = frozenset({"Architectures"})


def global_properties(template: Template) -> dict[str, Any]:
    """`Globals.Function`, empty where there is none."""
    section = template.data.get("Globals") or {}
    functions = section.get("Function") if isinstance(section, dict) else None
    return functions if isinstance(functions, dict) else {}


def function_properties(template: Template, logical_id: str) -> dict[str, Any]:
    """A function's properties with Globals applied; those of a plain Lambda function are its own."""
    resource = template.data["Resources"][logical_id]
    own = properties_of(resource)
    if resource.get("Type") != SERVERLESS_FUNCTION:
        return own
    shared = global_properties(template)
    merged = {key: _merge(shared[key], own[key]) for key in own if key in shared and key not in _REPLACED}
    return {**shared, **own, **merged}


def _merge(shared: Any, own: Any) -> Any:  # noqa: ANN401
    if is_intrinsic(shared) or is_intrinsic(own):
        return own
    if isinstance(shared, dict) and isinstance(own, dict):
        merged = {key: _merge(shared[key], own[key]) for key in own if key in shared}
        return {**shared, **own, **merged}
    return [*shared, *own] if isinstance(shared, list) and isinstance(own, list) else own
