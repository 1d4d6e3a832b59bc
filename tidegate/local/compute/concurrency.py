"""Reserved and provisioned concurrency: who may have how much, and how long it takes to be ready.

A version has one provisioned configuration at most: its own, or that of an alias that points at it alone.
Only the bookkeeping is here: sandboxes start as fast with it as without.
https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html
https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from moto.awslambda import models, responses
from moto.awslambda.exceptions import InvalidParameterValueException, LambdaClientError

from tidegate.local.compute.aliases import weights
from tidegate.local.compute.configuration import LATEST, LOCK
from tidegate.local.compute.versions import split_name

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud

Answer = tuple[int, dict[str, Any], str]
UNRESERVED: Final = 100  # executions that an account keeps for functions without a reservation
TAKES: Final = 30.0  # seconds until provisioned concurrency is ready, at full pace
ACCOUNT: Final = 1000
STATE: dict[str, Any] = {}


class ProvisionedConcurrencyConfigNotFoundException(LambdaClientError):  # type: ignore[misc]
    """The qualifier has no provisioned concurrency."""

    code = 404

    def __init__(self) -> None:
        super().__init__(
            "ProvisionedConcurrencyConfigNotFoundException",
            "No Provisioned Concurrency Config found for this function",
        )


@dataclass
class Provisioned:
    """What a qualifier has; `version` is what it stands for, and `since` when it was last changed."""

    requested: int
    version: str
    since: float


def install(cloud: LocalCloud) -> None:
    """Add the calls that moto has not, and the rules of those that it has."""
    STATE["takes"] = TAKES * cloud.pace
    response = responses.LambdaResponse
    for method in (
        put_provisioned_concurrency_config,
        get_provisioned_concurrency_config,
        delete_provisioned_concurrency_config,
        list_provisioned_concurrency_configs,
        put_function_concurrency,
        get_function_concurrency,
        get_account_settings,
    ):
        cloud.patch(response, method.__name__, method)
    STATE["get_code"] = cloud.patch(models.LambdaFunction, "get_code", _get_code)
    STATE["delete_function"] = cloud.patch(models.LambdaBackend, "delete_function", _delete_function)


def _kept(backend: models.LambdaBackend) -> dict[tuple[str, str], Provisioned]:
    kept: dict[tuple[str, str], Provisioned] = backend.__dict__.setdefault("provisioned", {})
    return kept


def provisioned_of(backend: models.LambdaBackend, name: str) -> dict[str, Provisioned]:
    """What a function's qualifiers have; that of an alias follows it to the version that it points at."""
    found = {key[1]: item for key, item in sorted(_kept(backend).items()) if key[0] == name}
    for qualifier, item in found.items():
        stands_for = _version_of(backend, name, qualifier)
        if stands_for != item.version:
            item.version, item.since = stands_for, time.monotonic()
    return found


def _version_of(backend: models.LambdaBackend, name: str, qualifier: str) -> str:
    alias = backend._lambdas._get_function_aliases(name).get(qualifier)
    return qualifier if alias is None else str(alias.function_version)


def _request(self: Any) -> tuple[str, str | None]:  # noqa: ANN401
    parts = unquote(self.path.split("?")[0]).split("/")
    qualifier = (self.querystring.get("Qualifier") or [None])[0]
    name, wanted = split_name(parts[parts.index("functions") + 1], qualifier)
    self.backend.get_function(name, wanted)
    return name, wanted


def put_provisioned_concurrency_config(self: Any) -> Answer:  # noqa: ANN401
    """Answer PutProvisionedConcurrencyConfig."""
    amount = int(json.loads(self.body or "{}").get("ProvisionedConcurrentExecutions") or 0)
    with LOCK:
        name, qualifier = _request(self)
        _check(self.backend, name, qualifier or LATEST, amount)
        version = _version_of(self.backend, name, str(qualifier))
        kept = _kept(self.backend)
        found = kept.get((name, str(qualifier)))
        if found is None or found.requested != amount:
            kept[name, str(qualifier)] = Provisioned(amount, version, time.monotonic())
        shown = _show(self.backend, name, str(qualifier))
    return 202, {"status": 202}, json.dumps(shown)


def _check(backend: models.LambdaBackend, name: str, qualifier: str, amount: int) -> None:
    if amount < 1:
        raise InvalidParameterValueException("ProvisionedConcurrentExecutions must be 1 or more")
    if qualifier == LATEST:
        raise InvalidParameterValueException(
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
        )
    alias = backend._lambdas._get_function_aliases(name).get(qualifier)
    if alias is not None and weights(alias.routing_config):
        raise InvalidParameterValueException(
            "Alias with weights can not be used with Provisioned Concurrency"
        )
    function = backend.get_function(name, qualifier)
    if function.snap_start.get("ApplyOn") == "PublishedVersions":
        raise InvalidParameterValueException("Provisioned Concurrency is not supported with SnapStart")
    others = {key: item for key, item in provisioned_of(backend, name).items() if key != qualifier}
    version = _version_of(backend, name, qualifier)
    if version in {item.version for item in others.values()}:
        raise InvalidParameterValueException(
            f"Version {version} of {name} has Provisioned Concurrency already"
        )
    _check_room(backend, name, amount + sum(item.requested for item in others.values()))


def _check_room(backend: models.LambdaBackend, name: str, total: int) -> None:
    reserved = _reserved(backend, name)
    if reserved is not None and total > reserved:
        raise InvalidParameterValueException(
            "Requested Provisioned Concurrency should not be greater than the "
            "reservedConcurrentExecution for function"
        )
    if reserved is None and total + _taken(backend, name) > ACCOUNT - UNRESERVED:
        raise InvalidParameterValueException(
            "Specified ConcurrentExecutions for function decreases account's "
            f"UnreservedConcurrentExecution below its minimum value of [{UNRESERVED}]."
        )


def _taken(backend: models.LambdaBackend, without: str) -> int:
    """What all other functions of the account have reserved, or provisioned without a reservation."""
    total = 0
    for name in backend._lambdas._functions:
        reserved = _reserved(backend, name)
        provisioned = sum(item.requested for item in provisioned_of(backend, name).values())
        total += 0 if name == without else provisioned if reserved is None else reserved
    return total


def _reserved(backend: models.LambdaBackend, name: str) -> int | None:
    found = backend._lambdas._functions[name]["latest"].reserved_concurrency
    return None if found is None else int(found)


def _show(backend: models.LambdaBackend, name: str, qualifier: str) -> dict[str, Any]:
    found = provisioned_of(backend, name).get(qualifier)
    if found is None:
        raise ProvisionedConcurrencyConfigNotFoundException
    ready = time.monotonic() - found.since >= STATE["takes"]
    return {
        "RequestedProvisionedConcurrentExecutions": found.requested,
        "AvailableProvisionedConcurrentExecutions": found.requested if ready else 0,
        "AllocatedProvisionedConcurrentExecutions": found.requested if ready else 0,
        "Status": "READY" if ready else "IN_PROGRESS",
        "LastModified": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000"),
    }


def get_provisioned_concurrency_config(self: Any) -> Answer:  # noqa: ANN401
    """Answer GetProvisionedConcurrencyConfig."""
    with LOCK:
        name, qualifier = _request(self)
        return 200, {}, json.dumps(_show(self.backend, name, str(qualifier)))


def delete_provisioned_concurrency_config(self: Any) -> Answer:  # noqa: ANN401
    """Answer DeleteProvisionedConcurrencyConfig, which is no error where there is nothing."""
    with LOCK:
        name, qualifier = _request(self)
        _kept(self.backend).pop((name, str(qualifier)), None)
    return 204, {"status": 204}, ""


def list_provisioned_concurrency_configs(self: Any) -> Answer:  # noqa: ANN401
    """Answer ListProvisionedConcurrencyConfigs, in pages of 50."""
    with LOCK:
        name, _ = _request(self)
        arn = self.backend.get_function(name).function_arn
        rows = [
            {"FunctionArn": f"{arn}:{qualifier}", **_show(self.backend, name, qualifier)}
            for qualifier in provisioned_of(self.backend, name)
        ]
    start = int((self.querystring.get("Marker") or [0])[0])
    end = start + min(50, int((self.querystring.get("MaxItems") or [50])[0]))
    more = {"NextMarker": str(end)} if end < len(rows) else {}
    return 200, {}, json.dumps({"ProvisionedConcurrencyConfigs": rows[start:end], **more})


def put_function_concurrency(self: Any) -> Answer:  # noqa: ANN401
    """Answer PutFunctionConcurrency; 0 stops the function."""
    amount = int(json.loads(self.body or "{}")["ReservedConcurrentExecutions"])
    with LOCK:
        name, _ = _request(self)
        if amount + _taken(self.backend, name) > ACCOUNT - UNRESERVED:
            raise InvalidParameterValueException(
                "Specified ReservedConcurrentExecutions for function decreases account's "
                f"UnreservedConcurrentExecution below its minimum value of [{UNRESERVED}]."
            )
        if amount < sum(item.requested for item in provisioned_of(self.backend, name).values()):
            raise InvalidParameterValueException(
                "Specified ReservedConcurrentExecutions for function is less than its Provisioned Concurrency"
            )
        self.backend.put_function_concurrency(name, amount)
    return 200, {}, json.dumps({"ReservedConcurrentExecutions": amount})


def get_function_concurrency(self: Any) -> Answer:  # noqa: ANN401
    """Answer GetFunctionConcurrency; empty where nothing is reserved."""
    name, _ = _request(self)
    reserved = _reserved(self.backend, name)
    return 200, {}, json.dumps({} if reserved is None else {"ReservedConcurrentExecutions": reserved})


def get_account_settings(self: Any) -> Answer:  # noqa: ANN401
    """Answer GetAccountSettings, as far as concurrency goes."""
    with LOCK:
        names = self.backend._lambdas._functions
        reserved = sum(_reserved(self.backend, name) or 0 for name in names)
    limit = {"ConcurrentExecutions": ACCOUNT, "UnreservedConcurrentExecutions": ACCOUNT - reserved}
    usage = {"FunctionCount": len(names)}
    return 200, {}, json.dumps({"AccountLimit": limit, "AccountUsage": usage})


def _get_code(self: Any) -> dict[str, Any]:  # noqa: ANN401
    answer: dict[str, Any] = STATE["get_code"](self)
    answer.pop("Concurrency", None)
    backend = models.lambda_backends[self.account_id][self.region]
    if str(self.version) == LATEST and (reserved := _reserved(backend, self.function_name)) is not None:
        answer["Concurrency"] = {"ReservedConcurrentExecutions": reserved}
    return answer


def _delete_function(self: models.LambdaBackend, function_name: str, qualifier: str | None = None) -> None:
    with LOCK:
        STATE["delete_function"](self, function_name, qualifier)
        name, wanted = split_name(function_name, qualifier)
        for key in [key for key in _kept(self) if key[0] == name and wanted in {None, key[1]}]:
            del _kept(self)[key]
