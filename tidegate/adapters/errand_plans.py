"""What a build at CodeBuild is told of a function by its template and its lock, and what the plan tells."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from tidegate.domain.artifacts import Method
from tidegate.domain.errands import ERRANDS
from tidegate.domain.wording import list_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tidegate.adapters.projects import Part
    from tidegate.domain.locks import Lock
    from tidegate.domain.snapshots import FunctionSnapshot
    from tidegate.domain.templates.functions import FunctionSource

# What of a resource's Metadata `sam build` reads.
READ: Final = ("BuildMethod", "BuildProperties")


def read_metadata(part: Part, source: FunctionSource) -> dict[str, object]:
    """What `sam build` is told of how a function is built."""
    metadata: Mapping[str, object] = part.template.resources[source.logical_id].get("Metadata") or {}
    return {name: metadata[name] for name in READ if name in metadata}


def tell_build(
    method: Method, source: FunctionSource, lock: Lock, metadata: Mapping[str, object]
) -> tuple[str, ...]:
    """What a build is told besides files, runtime, architecture and image: it is part of the content key."""
    if method is Method.SOURCES:
        return lock.inputs
    if method is Method.MAKEFILE:
        return (source.logical_id,)
    return (source.logical_id, source.handler or "", json.dumps(metadata, sort_keys=True))


def note_errands(functions: Iterable[FunctionSnapshot]) -> Iterator[str]:
    """What CodeBuild builds, and how."""
    told: dict[str, list[str]] = {}
    for one in functions:
        if one.method in ERRANDS:
            told.setdefault(one.method.value, []).append(one.logical_id)
    for method, names in told.items():
        yield f"built at CodeBuild, since foreign code runs for it ({method}): {list_names(names)}"
