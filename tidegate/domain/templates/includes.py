"""Parts of a template that lie in files of their own: AWS::Include with a path of the source.

CloudFormation puts them in before the serverless transform reads the template, and so does Tidegate. Parts in
S3 are not read: what a commit deploys must be in the commit. May not read files.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/transform-aws-include.html
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tidegate.domain.errors import InvalidTemplate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .template import Template

INCLUDE, TRANSFORM = "AWS::Include", "Fn::Transform"


def include(template: Template, read: Callable[[str, int], Any]) -> Template:
    """The template with its parts put in; the same one where it has none.

    read: the data of the file at a path (relative to the template) that is named at a line.
    """
    resources = {
        logical_id: _fill(item, partial(_read_at, read, template.lines.get(logical_id, 0)))
        for logical_id, item in template.data["Resources"].items()
    }
    if resources == template.data["Resources"]:
        return template
    return template.with_data({**template.data, "Resources": resources})


def _read_at(read: Callable[[str, int], Any], line: int, path: str) -> Any:  # noqa: ANN401
    return read(path, line)


def local_include(call: object) -> str | None:
    """The path that the argument of a Fn::Transform includes; None for everything else."""
    if not isinstance(call, dict) or call.get("Name") != INCLUDE:
        return None
    location = (call.get("Parameters") or {}).get("Location")
    local = isinstance(location, str) and not location.startswith(("s3://", "http://", "https://"))
    return location if local else None


def _fill(value: Any, read: Callable[[str], Any]) -> Any:  # noqa: ANN401
    if isinstance(value, list):
        return [_fill(item, read) for item in value]
    if not isinstance(value, dict):
        return value
    path = local_include(value.get(TRANSFORM))
    if path is None:
        return {key: _fill(item, read) for key, item in value.items()}
    return _merge({key: item for key, item in value.items() if key != TRANSFORM}, read(path), path)


def _merge(beside: Mapping[str, Any], part: Any, path: str) -> Any:  # noqa: ANN401
    if not beside:
        return part
    if not isinstance(part, dict):
        raise InvalidTemplate(f"{path} is included beside other keys, so it must hold a mapping")
    return {**beside, **part}
