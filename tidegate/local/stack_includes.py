"""Fn::Transform with AWS::Include: parts of a template that lie in S3, put in place before all else.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/transform-aws-include.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from botocore.exceptions import ClientError

from tidegate.local.stack_errors import ValidationError
from tidegate.local.stack_intrinsics import Unknown, resolve
from tidegate.local.stack_templates import Template, check_template, load_text

if TYPE_CHECKING:
    from tidegate.local.stack_intrinsics import Scope


def include_parts(template: Template, scope: Scope, s3: Any) -> Template:  # noqa: ANN401
    """The template with its includes in place; the text stays as it was given."""
    if "Fn::Transform" not in template.text:
        return template
    expanded = Template(template.text, _expand(template.body, scope, s3))
    check_template(expanded)
    return expanded


def _expand(node: Any, scope: Scope, s3: Any) -> Any:  # noqa: ANN401
    if isinstance(node, list):
        return [_expand(item, scope, s3) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _expand(value, scope, s3) for key, value in node.items() if key != "Fn::Transform"}
    if "Fn::Transform" not in node:
        return kept
    part = _read(node["Fn::Transform"], scope, s3)
    return {**part, **kept} if isinstance(part, dict) else part


def _read(transform: Any, scope: Scope, s3: Any) -> Any:  # noqa: ANN401
    name = transform.get("Name") if isinstance(transform, dict) else None
    if name != "AWS::Include":
        raise ValidationError(f"Transform {name} is not available in the local cloud")
    location = resolve(transform.get("Parameters", {}).get("Location"), scope)
    if isinstance(location, Unknown) or not str(location).startswith("s3://"):
        raise ValidationError(f"The location parameter is not a valid S3 uri: {location}")
    parts = urlparse(str(location))
    try:
        found = s3.get_object(Bucket=parts.netloc, Key=parts.path.lstrip("/"))
    except ClientError as error:
        raise ValidationError(f"Transform AWS::Include failed with: {error}") from error
    return load_text(found["Body"].read().decode())
