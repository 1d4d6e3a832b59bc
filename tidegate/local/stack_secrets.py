"""Dynamic references: `{{resolve:…}}` in resolved properties, read at the moment of the call.

A stack remembers the reference and not the secret, so a new value alone changes no resource, as on AWS
(https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from tidegate.local.stack_errors import ResourceFailure

if TYPE_CHECKING:
    from collections.abc import Callable

REFERENCE: Final = re.compile(r"\{\{resolve:([a-z-]+):([^}]+)\}\}")
ARN_PARTS: Final = 7


def expand(value: Any, client: Callable[[str], Any]) -> Any:  # noqa: ANN401
    """Replace the dynamic references in a value."""
    if isinstance(value, dict):
        return {key: expand(item, client) for key, item in value.items()}
    if isinstance(value, list):
        return [expand(item, client) for item in value]
    if isinstance(value, str) and "{{resolve:" in value:
        return REFERENCE.sub(lambda match: _read(match[1], match[2], client), value)
    return value


def _read(service: str, reference: str, client: Callable[[str], Any]) -> str:
    try:
        if service in {"ssm", "ssm-secure"}:
            found = client("ssm").get_parameter(Name=reference, WithDecryption=service == "ssm-secure")
            return str(found["Parameter"]["Value"])
        if service == "secretsmanager":
            return _read_secret(reference, client)
    except ClientError as error:
        raise ResourceFailure(f"Could not resolve {{{{resolve:{service}:{reference}}}}}: {error}") from error
    raise ResourceFailure(f"The dynamic reference {service} is not available in the local cloud")


def _read_secret(reference: str, client: Callable[[str], Any]) -> str:
    parts = reference.split(":")
    width = ARN_PARTS if parts[0] == "arn" else 1
    kind, key, stage, version = [*parts[width:], "", "", "", ""][:4]
    if kind not in {"", "SecretString"}:
        raise ResourceFailure(f"The dynamic reference part {kind} is not available in the local cloud")
    which = {"VersionStage": stage, "VersionId": version}
    secret = client("secretsmanager").get_secret_value(
        SecretId=":".join(parts[:width]), **{name: value for name, value in which.items() if value}
    )["SecretString"]
    return str(json.loads(secret)[key]) if key else str(secret)
