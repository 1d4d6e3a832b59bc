"""Aliases: their validation as UpdateAlias does it, and the choice of a version for one request.

https://docs.aws.amazon.com/lambda/latest/dg/configuring-alias-routing.html
"""

from __future__ import annotations

import math
import random
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from moto.awslambda import models
from moto.awslambda.exceptions import InvalidParameterValueException, ValidationException

from tidegate.local.compute.configuration import LATEST, LOCK, check_revision
from tidegate.local.compute.versions import ResourceConflictException, split_name

if TYPE_CHECKING:
    from tidegate.local.cloud import LocalCloud

NAME: Final = re.compile(r"(?!^[0-9]+$)[a-zA-Z0-9-_]+")


@dataclass(frozen=True, slots=True)
class Target:
    """What one request runs: a function or version, and the names under which it was called."""

    function: Any
    arn: str
    resource: str
    alias: str | None


def install(cloud: LocalCloud) -> None:
    """Replace moto's keeping of aliases."""
    storage, backend, alias = models.LambdaStorage, models.LambdaBackend, models.LambdaAlias
    cloud.patch(storage, "put_alias", _put)
    cloud.patch(storage, "update_alias", _update)
    cloud.patch(backend, "update_alias", _backend_update)
    cloud.patch(alias, "versions", _versions)
    cloud.patch(alias, "to_json", _to_json)


def resolve(backend: models.LambdaBackend, name_or_arn: str, qualifier: str | None = None) -> Target:
    """Find what an invocation runs, by chance if an alias has weights; raises ResourceNotFoundException."""
    name, wanted = split_name(name_or_arn, qualifier)
    storage = backend._lambdas
    function = storage.get_function_by_name_with_qualifier(name, wanted)
    arn = f"arn:{backend.partition}:lambda:{backend.region_name}:{backend.account_id}:function:{name}"
    if wanted is None:
        return Target(function, arn, name, None)
    alias = storage._get_function_aliases(name).get(wanted)
    if alias is not None:
        function = storage.get_function_by_name_with_qualifier(name, choose(alias, random.random()))  # noqa: S311
    return Target(function, f"{arn}:{wanted}", f"{name}:{wanted}", wanted if alias is not None else None)


def choose(alias: models.LambdaAlias, chance: float) -> str:
    """Pick the version for a number drawn from 0 up to 1."""
    for version, weight in weights(alias.routing_config).items():
        if chance < weight:
            return version
    return str(alias.function_version)


def weights(routing_config: dict[str, Any] | None) -> dict[str, float]:
    """Give the additional versions of a routing configuration."""
    declared = (routing_config or {}).get("AdditionalVersionWeights") or {}
    return {str(version): float(weight) for version, weight in declared.items()}


def _versions(self: models.LambdaAlias) -> set[str]:
    """Give all versions that an alias uses."""
    return {str(self.function_version), *weights(self.routing_config)}


def _to_json(self: models.LambdaAlias) -> dict[str, Any]:
    document = {
        "AliasArn": self.arn,
        "Description": self.description or "",
        "FunctionVersion": self.function_version,
        "Name": self.name,
        "RevisionId": self.revision_id,
    }
    if routed := weights(self.routing_config):
        document["RoutingConfig"] = {"AdditionalVersionWeights": routed}
    return document


def _put(
    self: Any,  # noqa: ANN401
    name: str,
    function_name: str,
    function_version: str,
    description: str,
    routing_config: dict[str, Any] | None,
) -> models.LambdaAlias:
    if not NAME.fullmatch(name):
        raise ValidationException(
            name, "name", f"Member must satisfy regular expression pattern: {NAME.pattern}"
        )
    with LOCK:
        bare, _ = split_name(function_name)
        self.get_function_by_name_with_qualifier(bare)
        check_routing(self, bare, str(function_version), weights(routing_config))
        aliases = self._get_function_aliases(bare)
        if name in aliases:
            raise ResourceConflictException(f"Alias already exists: {aliases[name].arn}")
        aliases[name] = alias = models.LambdaAlias(
            account_id=self.account_id,
            region=self.region_name,
            name=name,
            function_name=bare,
            function_version=str(function_version),
            description=description or "",
            routing_config={"AdditionalVersionWeights": weights(routing_config)},
        )
        return alias


def _backend_update(
    self: models.LambdaBackend,
    name: str,
    function_name: str,
    function_version: str | None = None,
    description: str | None = None,
    routing_config: dict[str, Any] | None = None,
    revision_id: str | None = None,
) -> models.LambdaAlias:
    with LOCK:
        alias = self.get_alias(name, function_name)
        check_revision(alias.revision_id, revision_id)
        return self._lambdas.update_alias(name, function_name, function_version, description, routing_config)


def _update(
    self: Any,  # noqa: ANN401
    name: str,
    function_name: str,
    function_version: str | None,
    description: str | None,
    routing_config: dict[str, Any] | None,
) -> models.LambdaAlias:
    """Change what is given, all or nothing: the pair that results is checked before anything is written."""
    with LOCK:
        bare, _ = split_name(function_name)
        alias: models.LambdaAlias = self.get_alias(name, bare)
        primary = str(alias.function_version if function_version is None else function_version)
        routed = weights(alias.routing_config if routing_config is None else routing_config)
        check_routing(self, bare, primary, routed)
        alias.function_version = primary
        alias.routing_config = {"AdditionalVersionWeights": routed}
        if description is not None:
            alias.description = description
        alias.revision_id = str(uuid.uuid4())
        return alias


def check_routing(storage: Any, name: str, primary: str, routed: dict[str, float]) -> None:  # noqa: ANN401
    """Refuse a primary version and additional weights that Lambda refuses."""
    if primary != LATEST and not primary.isdecimal():
        raise ValidationException(
            primary, "functionVersion", "Member must satisfy regular expression pattern: (\\$LATEST|[0-9]+)"
        )
    stable = storage.get_function_by_name_with_qualifier(name, primary)
    if not routed:
        return
    if len(routed) > 1:
        raise InvalidParameterValueException(
            "Number of items in AdditionalVersionWeights cannot be greater than 1"
        )
    ((version, weight),) = routed.items()
    if LATEST in {primary, version}:
        raise InvalidParameterValueException(
            "$LATEST is not supported for an alias pointing to more than 1 version"
        )
    if version == primary:
        raise InvalidParameterValueException(
            f"Invalid function version {version}. "
            f"Function version {version} is already included in routing configuration."
        )
    if not version.isdecimal():
        raise ValidationException(
            version, "routingConfig", "Member must satisfy regular expression pattern: [0-9]+"
        )
    if math.isnan(weight) or not 0 <= weight <= 1:
        raise ValidationException(str(weight), "routingConfig", "Member must have value between 0.0 and 1.0")
    other = storage.get_function_by_name_with_qualifier(name, version)
    if (stable.role, stable.dead_letter_config) != (other.role, other.dead_letter_config):
        raise InvalidParameterValueException(
            f"Versions {primary} and {version} must have the same execution role "
            "and dead-letter queue configuration"
        )
