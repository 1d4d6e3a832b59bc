"""How asynchronous events are retried and where they end, kept per function and qualifier.

moto keeps the first one for good and knows no qualifiers.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from moto.awslambda import models, responses
from moto.awslambda.exceptions import UnknownEventConfig

from tidegate.local.compute.configuration import LATEST, LOCK
from tidegate.local.compute.versions import split_name

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud

Answer = tuple[int, dict[str, Any], str]
ORIGINAL: dict[str, Any] = {}


def install(cloud: LocalCloud) -> None:
    """Replace moto's keeping of these configurations, and its answers."""
    ORIGINAL["delete_function"] = cloud.patch(models.LambdaBackend, "delete_function", delete_function)
    for name, kept, answered in (
        ("put_function_event_invoke_config", put, answer_put),
        ("update_function_event_invoke_config", update, answer_update),
        ("get_function_event_invoke_config", get, answer_get),
        ("delete_function_event_invoke_config", delete, answer_delete),
        ("list_function_event_invoke_configs", list_all, answer_list),
    ):
        cloud.patch(models.LambdaBackend, name, kept)
        cloud.patch(responses.LambdaResponse, name, answered)


def _kept(backend: models.LambdaBackend) -> dict[tuple[str, str], dict[str, Any]]:
    kept: dict[tuple[str, str], dict[str, Any]] = backend.__dict__.setdefault("event_invoke_configs", {})
    return kept


def find(backend: models.LambdaBackend, name: str, qualifier: str | None) -> dict[str, Any] | None:
    """Give the configuration of a function or of one of its qualifiers, if it has one."""
    return _kept(backend).get((name, qualifier or LATEST))


def _key(backend: models.LambdaBackend, function_name: str, qualifier: str | None) -> tuple[str, str]:
    name, wanted = split_name(function_name, qualifier)
    backend.get_function(name, wanted)
    return name, wanted or LATEST


def put(
    self: models.LambdaBackend, function_name: str, config: dict[str, Any], qualifier: str | None = None
) -> dict[str, Any]:
    """Set a configuration as a whole."""
    with LOCK:
        name, wanted = _key(self, function_name, qualifier)
        arn = f"arn:{self.partition}:lambda:{self.region_name}:{self.account_id}:function:{name}:{wanted}"
        models.EventInvokeConfig(arn, "", config)  # refuses what Lambda refuses
        fields = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")
        kept = {field: config[field] for field in fields if config.get(field) is not None}
        _kept(self)[name, wanted] = {**kept, "FunctionArn": arn, "LastModified": time.time()}
        return _kept(self)[name, wanted]


def update(
    self: models.LambdaBackend, function_name: str, config: dict[str, Any], qualifier: str | None = None
) -> dict[str, Any]:
    """Change the fields that are given."""
    with LOCK:
        return put(self, function_name, {**get(self, function_name, qualifier), **config}, qualifier)


def get(self: models.LambdaBackend, function_name: str, qualifier: str | None = None) -> dict[str, Any]:
    """Give a configuration; raises ResourceNotFoundException."""
    name, wanted = _key(self, function_name, qualifier)
    found = find(self, name, wanted)
    if found is None:
        raise UnknownEventConfig(f"{self.get_function(name).function_arn}:{wanted}")
    return found


def delete(self: models.LambdaBackend, function_name: str, qualifier: str | None = None) -> None:
    """Take a configuration away; raises ResourceNotFoundException."""
    with LOCK:
        get(self, function_name, qualifier)
        del _kept(self)[_key(self, function_name, qualifier)]


def delete_function(self: models.LambdaBackend, function_name: str, qualifier: str | None = None) -> None:
    """Delete a function or a version, and its configurations with it."""
    with LOCK:
        ORIGINAL["delete_function"](self, function_name, qualifier)
        name, wanted = split_name(function_name, qualifier)
        for key in [key for key in _kept(self) if key[0] == name and wanted in {None, key[1]}]:
            del _kept(self)[key]


def list_all(self: models.LambdaBackend, function_name: str) -> dict[str, Any]:
    """Give all configurations of a function."""
    name, _ = _key(self, function_name, None)
    found = [config for key, config in sorted(_kept(self).items()) if key[0] == name]
    return {"FunctionEventInvokeConfigs": found}


def _request(self: Any) -> tuple[str, str | None]:  # noqa: ANN401
    return unquote(self.path.split("/")[3]), (self.querystring.get("Qualifier") or [None])[0]


def answer_put(self: Any) -> Answer:  # noqa: ANN401
    """Answer PutFunctionEventInvokeConfig."""
    name, qualifier = _request(self)
    return (
        200,
        {},
        json.dumps(self.backend.put_function_event_invoke_config(name, json.loads(self.body), qualifier)),
    )


def answer_update(self: Any) -> Answer:  # noqa: ANN401
    """Answer UpdateFunctionEventInvokeConfig."""
    name, qualifier = _request(self)
    return (
        200,
        {},
        json.dumps(self.backend.update_function_event_invoke_config(name, json.loads(self.body), qualifier)),
    )


def answer_get(self: Any) -> Answer:  # noqa: ANN401
    """Answer GetFunctionEventInvokeConfig."""
    name, qualifier = _request(self)
    return 200, {}, json.dumps(self.backend.get_function_event_invoke_config(name, qualifier))


def answer_delete(self: Any) -> Answer:  # noqa: ANN401
    """Answer DeleteFunctionEventInvokeConfig."""
    name, qualifier = _request(self)
    self.backend.delete_function_event_invoke_config(name, qualifier)
    return 204, {"status": 204}, ""


def answer_list(self: Any) -> Answer:  # noqa: ANN401
    """Answer ListFunctionEventInvokeConfigs."""
    name, _ = _request(self)
    return 200, {}, json.dumps(self.backend.list_function_event_invoke_configs(name))
