"""AWS::ApiGateway: how callers reach a REST API. Keys, usage plans, domain names."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from tidegate.local.resources.api import ALL, ApiKind
from tidegate.local.resources.kinds import Naming, Request


class ApiKey(ApiKind):
    """An API key; Ref is its id."""

    type = "AWS::ApiGateway::ApiKey"
    naming = Naming("Name", 1024)
    service, creates, deletes = "apigateway", "create_api_key", "delete_api_key"
    key, identity = "apiKey", "id"
    ignored = ("Tags",)
    returned: ClassVar[dict[str, str]] = {"APIKeyId": "id"}


class UsagePlan(ApiKind):
    """A usage plan; Ref is its id."""

    type = "AWS::ApiGateway::UsagePlan"
    service, creates, deletes = "apigateway", "create_usage_plan", "delete_usage_plan"
    key, identity = "usagePlanId", "id"
    returned: ClassVar[dict[str, str]] = {"Id": "id"}

    def parameters(self, request: Request) -> dict[str, Any]:
        """Under other names, and with one where the template has none."""
        found = request.rest("UsagePlanName", "Tags")
        return found | {"name": request.properties.get("UsagePlanName", request.name)}


class UsagePlanKey(ApiKind):
    """A key's place in a usage plan."""

    type = "AWS::ApiGateway::UsagePlanKey"
    create_only = ALL
    service, creates, deletes = "apigateway", "create_usage_plan_key", "delete_usage_plan_key"

    def take(self, request: Request, answer: dict[str, Any]) -> None:  # noqa: ARG002
        """It is the key in the plan."""
        identity = f"{request.properties['KeyId']}:{request.properties['UsagePlanId']}"
        request.settle(identity, Id=identity)

    def delete(self, request: Request) -> None:
        """DeleteUsagePlanKey."""
        request.discard("apigateway", "delete_usage_plan_key", **request.pick("KeyId", "UsagePlanId"))


class DomainName(ApiKind):
    """A domain name of REST APIs; Ref is the name."""

    type = "AWS::ApiGateway::DomainName"
    create_only = frozenset({"DomainName"})
    service, creates, deletes = "apigateway", "create_domain_name", "delete_domain_name"
    key, identity, ignored = "domainName", "domainName", ("Tags",)

    def take(self, request: Request, answer: dict[str, Any]) -> None:
        """Its names at the edge and in the region, as far as the local cloud has them."""
        names = {"RegionalDomainName": "regionalDomainName", "RegionalHostedZoneId": "regionalHostedZoneId"}
        names |= {"DistributionDomainName": "distributionDomainName"}
        names |= {"DistributionHostedZoneId": "distributionHostedZoneId"}
        found = {name: answer[old] for name, old in names.items() if old in answer}
        request.settle(answer["domainName"], **found)


class BasePathMapping(ApiKind):
    """An API under a domain name; Ref is the mapping's id."""

    type = "AWS::ApiGateway::BasePathMapping"
    create_only = ALL
    service, creates, deletes = "apigateway", "create_base_path_mapping", "delete_base_path_mapping"
    ignored = ("Id",)

    def take(self, request: Request, answer: dict[str, Any]) -> None:  # noqa: ARG002
        """The name and the path."""
        path = request.properties.get("BasePath") or "(none)"
        request.settle(f"{request.properties['DomainName']}|{path}")

    def delete(self, request: Request) -> None:
        """DeleteBasePathMapping."""
        path = request.properties.get("BasePath") or "(none)"
        request.discard("apigateway", "delete_base_path_mapping", **request.pick("DomainName"), basePath=path)


KINDS: Final = (ApiKey, UsagePlan, UsagePlanKey, DomainName, BasePathMapping)
