"""AWS::ApiGatewayV2: Api (HTTP and WebSocket), its parts, and the domain names over it."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from tidegate.local.resources.api import ApiKind
from tidegate.local.resources.kinds import Kind, Request
from tidegate.local.resources.markers import Marker
from tidegate.local.resources.openapi_http import import_routes, read_settings
from tidegate.local.resources.rest_apis import read_body
from tidegate.local.stack_errors import ResourceFailure

BODY: Final = ("Body", "BodyS3Location", "FailOnWarnings", "BasePath", "Tags")


class Api(Kind):
    """An HTTP or WebSocket API; Ref is its id."""

    type = "AWS::ApiGatewayV2::Api"
    create_only = frozenset({"ProtocolType"})
    tagging = "map"

    def create(self, request: Request) -> None:
        """CreateApi, then the routes of its body."""
        body = read_body(request)
        own = read_settings(body) if body is not None else {}
        own = {"ProtocolType": "HTTP", "Name": request.name, **own, **request.rest(*BODY)}
        answer = request.call("apigatewayv2", "create_api", **own, Tags=request.tags)
        request.settle(answer["ApiId"], ApiId=answer["ApiId"], ApiEndpoint=answer["ApiEndpoint"])
        if body is not None:
            import_routes(request, body)

    def update(self, request: Request) -> None:
        """UpdateApi; a changed body is taken in anew."""
        body = read_body(request)
        own = read_settings(body) if body is not None else {}
        own |= request.rest(*BODY, "ProtocolType")
        request.call("apigatewayv2", "update_api", ApiId=request.physical_id, **own)
        if not request.changed & {"Body", "BodyS3Location"}:
            return
        if body is None:
            raise ResourceFailure(
                "AWS::ApiGatewayV2::Api: taking the Body away is not available in the local cloud"
            )
        import_routes(request, body)

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


class VpcLink(ApiKind):
    """A link into a VPC; Ref is its id."""

    type = "AWS::ApiGatewayV2::VpcLink"
    service, creates, deletes = "apigatewayv2", "create_vpc_link", "delete_vpc_link"
    key, identity, ignored = "VpcLinkId", "VpcLinkId", ("Tags",)
    returned: ClassVar[dict[str, str]] = {"VpcLinkId": "VpcLinkId"}


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
    VpcLink,
    ApiMapping,
)
