"""REST API deployments, which are snapshots: a changed method is served only after a new one.

The SAM translator puts a hash into the logical id; a plain template, and a body that repointing has changed,
need one too. https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-deploy-api.html
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from .intrinsics import direct_reference
from .template import REST_API, properties_of

if TYPE_CHECKING:
    from collections.abc import Mapping

DEPLOYMENT = "AWS::ApiGateway::Deployment"
_SNAPSHOT = frozenset(
    f"AWS::ApiGateway::{name}"
    for name in (
        "Authorizer",
        "GatewayResponse",
        "Method",
        "Model",
        "RequestValidator",
        "Resource",
        "RestApi",
    )
)
_SAM_DESCRIPTION = "RestApi deployment id: "
_SUFFIX = re.compile(r"Tidegate[0-9a-f]{10}$")


def rename_deployments(resources: Mapping[str, Any], repointed: frozenset[str]) -> dict[str, str]:
    """New logical ids, by the old ones, for the deployments whose API is not hashed into their id already.

    repointed: the REST APIs whose body repointing has changed.
    """
    parts = _parts_by_api(resources)
    renamed: dict[str, str] = {}
    for logical_id, resource in resources.items():
        if resource.get("Type") == DEPLOYMENT:
            api = direct_reference(properties_of(resource).get("RestApiId"))
            if api and (api[0] in repointed or not _hashed_by_translator(logical_id, resource)):
                stem = _SUFFIX.sub("", logical_id)
                renamed[logical_id] = f"{stem}Tidegate{_digest(parts.get(api[0], {}))}"
    return {old: new for old, new in renamed.items() if old != new}


def _hashed_by_translator(logical_id: str, resource: Mapping[str, Any]) -> bool:
    described = properties_of(resource).get("Description")
    by_sam = isinstance(described, str) and described.startswith(_SAM_DESCRIPTION)
    return by_sam and not _SUFFIX.search(logical_id)


def _parts_by_api(resources: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    parts: dict[str, dict[str, Any]] = {}
    for key, resource in resources.items():
        if resource.get("Type") in _SNAPSHOT:
            owner = direct_reference(properties_of(resource).get("RestApiId"))
            api = key if resource["Type"] == REST_API else owner[0] if owner else ""
            parts.setdefault(api, {})[key] = properties_of(resource)
    return parts


def _digest(parts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:10]
