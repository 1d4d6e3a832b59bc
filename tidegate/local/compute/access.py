"""Resource policies of functions, one for a function and one for each of its aliases and versions.

moto keeps one for each version, so that an alias that moves would change its policy. They are kept and told
here, not enforced. https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from moto.awslambda import models, responses
from moto.awslambda.exceptions import GenericResourcNotFound
from moto.awslambda.policy import Policy

from tidegate.local.compute.configuration import LATEST, LOCK
from tidegate.local.compute.versions import ResourceConflictException, split_name

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud

Answer = tuple[int, dict[str, Any], str]
ORIGINAL: dict[str, Any] = {}


def install(cloud: LocalCloud) -> None:
    """Replace moto's keeping of policies."""
    backend = models.LambdaBackend
    cloud.patch(backend, "add_permission", add_permission)
    cloud.patch(backend, "get_policy", get_policy)
    ORIGINAL["delete_function"] = cloud.patch(backend, "delete_function", delete_function)
    cloud.patch(responses.LambdaResponse, "remove_permission", answer_remove_permission)


def _kept(backend: models.LambdaBackend) -> dict[tuple[str, str | None], Policy]:
    kept: dict[tuple[str, str | None], Policy] = backend.__dict__.setdefault("resource_policies", {})
    return kept


def _key(backend: models.LambdaBackend, function_name: str, qualifier: str | None) -> tuple[str, str | None]:
    name, wanted = split_name(function_name, qualifier)
    backend.get_function(name, wanted)
    return name, None if wanted == LATEST else wanted


def add_permission(
    self: models.LambdaBackend, function_name: str, qualifier: str | None, raw: str
) -> dict[str, Any]:
    """Add a statement; raises ResourceConflictException where its id is taken."""
    with LOCK:
        key = _key(self, function_name, qualifier)
        policy = _kept(self).setdefault(key, Policy(self.get_function(key[0])))
        wanted = json.loads(raw).get("StatementId")
        if wanted in {statement.get("Sid") for statement in policy.statements}:
            raise ResourceConflictException(
                f"The statement id ({wanted}) provided already exists. "
                "Please provide a new statement id, or remove the existing statement."
            )
        statement: dict[str, Any] = policy.add_statement(raw, key[1])[0]
        return statement


def get_policy(self: models.LambdaBackend, function_name: str, qualifier: str | None = None) -> str:
    """Give a policy as the API words it; raises ResourceNotFoundException where there is no statement."""
    with LOCK:
        policy = _kept(self).get(_key(self, function_name, qualifier))
        if policy is None:
            raise GenericResourcNotFound
        return str(policy.wire_format())


def delete_function(self: models.LambdaBackend, function_name: str, qualifier: str | None = None) -> None:
    """Delete a function or a version, and its policies with it."""
    with LOCK:
        ORIGINAL["delete_function"](self, function_name, qualifier)
        name, wanted = split_name(function_name, qualifier)
        for key in [key for key in _kept(self) if key[0] == name and wanted in {None, key[1]}]:
            del _kept(self)[key]


def answer_remove_permission(self: Any) -> Answer:  # noqa: ANN401
    """Answer RemovePermission, of a qualifier too."""
    *_, name, _policy, statement = unquote(self.path.split("?")[0]).split("/")
    qualifier = (self.querystring.get("Qualifier") or [None])[0]
    with LOCK:
        policy = _kept(self.backend).get(_key(self.backend, name, qualifier))
        if policy is None:
            raise GenericResourcNotFound
        policy.del_statement(statement, (self.querystring.get("RevisionId") or [""])[0])
    return 204, {"status": 204}, "{}"
