"""AWS::ApiGatewayV2: Api (HTTP and WebSocket), Stage, Integration, Route, Authorizer, Deployment, DomainName, ApiMapping."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Final

from tidegate.local.resources.api import ApiKind
from tidegate.local.resources.kinds import Kind, Request
from tidegate.local.resources.markers import Marker
from tidegate.local.resources.rest_apis import read_body
from tidegate.local.stack_errors import ResourceFailure

BODY: Final = ("Body", "BodyS3Location", "FailOnWarnings", "BasePath", "Tags")


class Api(Kind):
    """An HTTP or WebSocket API; Ref is its id."""

    type = "AWS::ApiGatewayV2::Api"
    create_only = frozenset({"ProtocolType"})
    tagging = "map"

    def create(self, request: Request) -> None:
        """CreateApi, or ImportApi where there is a body."""
        body = read_body(request)
        if body is None:
            answer = request.call("apigatewayv2", "create_api", **request.rest(*BODY), Tags=request.tags)
        else:
            text = json.dumps(body, default=str)
            answer = request.call("apigatewayv2", "import_api", Body=text, **request.pick("FailOnWarnings"))
        request.settle(answer["ApiId"], ApiId=answer["ApiId"], ApiEndpoint=answer["ApiEndpoint"])
        if body is not None and (own := request.rest(*BODY, "ProtocolType")):
            request.call("apigatewayv2", "update_api", ApiId=answer["ApiId"], **own)

    def update(self, request: Request) -> None:
        """ReimportApi where the body changed, UpdateApi for the rest."""
        changed = request.changed
        if changed & {"Body", "BodyS3Location"}:
            body = read_body(request)
            if body is None:
                raise ResourceFailure(
                    "AWS::ApiGatewayV2::Api: taking the Body away is not available in the local cloud"
                )
            text = json.dumps(body, default=str)
            request.call("apigatewayv2", "reimport_api", ApiId=request.physical_id, Body=text)
        if own := {k: v for k, v in request.rest(*BODY, "ProtocolType").items() if k in changed}:
            request.call("apigatewayv2", "update_api", ApiId=request.physical_id, **own)

    def delete(self, request: Request) -> None:
        """DeleteApi."""
        request.discard("apigatewayv2", "delete_api", ApiId=request.physical_id)


class _Part(ApiKind):
    service = "apigatewayv2"
    constant: ClassVar[tuple[str, ...]] = ("ApiId",)
    create_only = frozenset({"ApiId"})


class Stage(_Part):
    """A stage; Ref is its name."""

    type = "AWS::ApiGatewayV2::Stage"
    create_only = frozenset({"ApiId", "StageName"})
    creates, updates, deletes = "create_stage", "update_stage", "delete_stage"
    key, identity = "StageName", "StageName"
    ignored = ("AccessPolicyId",)


class Integration(_Part):
    """An integration; Ref is its id."""

    type = "AWS::ApiGatewayV2::Integration"
    creates, updates, deletes = "create_integration", "update_integration", "delete_integration"
    key, identity = "IntegrationId", "IntegrationId"
    returned: ClassVar[dict[str, str]] = {"IntegrationId": "IntegrationId"}


class Route(_Part):
    """A route; Ref is its id."""

    type = "AWS::ApiGatewayV2::Route"
    creates, updates, deletes = "create_route", "update_route", "delete_route"
    key, identity = "RouteId", "RouteId"
    returned: ClassVar[dict[str, str]] = {"RouteId": "RouteId"}


class Authorizer(_Part):
    """An authorizer; Ref is its id."""

    type = "AWS::ApiGatewayV2::Authorizer"
    creates, updates, deletes = "create_authorizer", "update_authorizer", "delete_authorizer"
    key, identity = "AuthorizerId", "AuthorizerId"
    returned: ClassVar[dict[str, str]] = {"AuthorizerId": "AuthorizerId"}


class IntegrationResponse(_Part):
    """A response of a WebSocket integration; Ref is its id."""

    type = "AWS::ApiGatewayV2::IntegrationResponse"
    constant = ("ApiId", "IntegrationId")
    creates, deletes = "create_integration_response", "delete_integration_response"
    key, identity = "IntegrationResponseId", "IntegrationResponseId"


class RouteResponse(_Part):
    """A response of a WebSocket route; Ref is its id."""

    type = "AWS::ApiGatewayV2::RouteResponse"
    constant = ("ApiId", "RouteId")
    creates, deletes = "create_route_response", "delete_route_response"
    key, identity = "RouteResponseId", "RouteResponseId"


class Model(_Part):
    """A model; Ref is its id."""

    type = "AWS::ApiGatewayV2::Model"
    creates, updates, deletes = "create_model", "update_model", "delete_model"
    key, identity = "ModelId", "ModelId"


class Deployment(Marker):
    """A deployment. Stages of the local cloud always serve what the API is now, so it is only an id."""

    type = "AWS::ApiGatewayV2::Deployment"


class DomainName(ApiKind):
    """A domain name; Ref is the name."""

    type = "AWS::ApiGatewayV2::DomainName"
    create_only = frozenset({"DomainName"})
    service, creates, deletes = "apigatewayv2", "create_domain_name", "delete_domain_name"
    key, identity = "DomainName", "DomainName"

    def take(self, request: Request, answer: dict[str, Any]) -> None:
        """Its regional name and zone as far as the local cloud has them."""
        found = answer["DomainNameConfigurations"][0]
        names = {"RegionalDomainName": "ApiGatewayDomainName", "RegionalHostedZoneId": "HostedZoneId"}
        request.settle(
            answer["DomainName"], **{name: found[old] for name, old in names.items() if old in found}
        )


class ApiMapping(ApiKind):
    """An API under a domain name; Ref is its id."""

    type = "AWS::ApiGatewayV2::ApiMapping"
    service, creates, deletes = "apigatewayv2", "create_api_mapping", "delete_api_mapping"
    key, identity, constant = "ApiMappingId", "ApiMappingId", ("DomainName",)
    returned: ClassVar[dict[str, str]] = {"ApiMappingId": "ApiMappingId"}


KINDS: Final = (
    Api,
    Stage,
    Integration,
    Route,
    Authorizer,
    IntegrationResponse,
    RouteResponse,
    Model,
    Deployment,
    DomainName,
    ApiMapping,
)
