"""An HTTP API from an OpenAPI 3 document: its routes, integrations and authorizers.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-open-api.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from moto.apigatewayv2.models import apigatewayv2_backends

from tidegate.local.resources.openapi import ANY, AUTHORIZER, INTEGRATION, METHODS

if TYPE_CHECKING:
    from tidegate.local.resources.kinds import Request

CORS: Final = "x-amazon-apigateway-cors"
DEFAULT: Final = "/$default"
PARTS: Final = (("route", "RouteId"), ("integration", "IntegrationId"))
IN_INTEGRATION: Final = {
    "IntegrationUri": "uri",
    "IntegrationMethod": "httpMethod",
    "PayloadFormatVersion": "payloadFormatVersion",
    "TimeoutInMillis": "timeoutInMillis",
    "CredentialsArn": "credentials",
    "ConnectionType": "connectionType",
    "ConnectionId": "connectionId",
    "IntegrationSubtype": "integrationSubtype",
    "RequestParameters": "requestParameters",
}

Document = dict[str, Any]


def read_settings(document: Document) -> Document:
    """What a document says of the API as a whole, as parameters of CreateApi and UpdateApi."""
    info = document.get("info") or {}
    found = {
        new: info[old] for new, old in (("Name", "title"), ("Description", "description")) if old in info
    }
    if "version" in info:
        found["Version"] = str(info["version"])
    if CORS in document:
        found["CorsConfiguration"] = document[CORS]
    return found


def import_routes(request: Request, document: Document) -> None:
    """Make the routes of the API `request.physical_id` those of a document."""
    api = {"ApiId": request.physical_id}
    for part, key in PARTS:
        for item in request.call("apigatewayv2", f"get_{part}s", **api).get("Items", []):
            request.discard("apigatewayv2", f"delete_{part}", **api, **{key: item[key]})
    # moto has no call that lists the authorizers of an HTTP API.
    backend = apigatewayv2_backends[request.account][request.region]
    backend.get_api(request.physical_id).authorizers.clear()
    schemes = (document.get("components") or {}).get("securitySchemes") or {}
    authorizers = {name: _make_authorizer(request, name, scheme) for name, scheme in schemes.items()}
    for path, methods in (document.get("paths") or {}).items():
        for name, method in (methods or {}).items():
            verb = "ANY" if name == ANY else METHODS.get(name.lower())
            if verb and isinstance(method, dict):
                security = method.get("security", document.get("security")) or []
                _make_route(request, _write_key(verb, path), method, _authorize(security, authorizers))


def _write_key(verb: str, path: str) -> str:
    return "$default" if path == DEFAULT else f"{verb} {path}"


def _make_authorizer(request: Request, name: str, scheme: Document) -> Document:
    own = scheme.get(AUTHORIZER) if isinstance(scheme, dict) else None
    if not isinstance(own, dict):
        return {}
    kind = str(own.get("type", "jwt")).upper()
    source = own.get("identitySource", "$request.header.Authorization")
    sources = source if isinstance(source, list) else [item.strip() for item in source.split(",")]
    given: Document = {
        "ApiId": request.physical_id,
        "Name": name,
        "AuthorizerType": kind,
        "IdentitySource": sources,
    }
    if "jwtConfiguration" in own:
        given["JwtConfiguration"] = own["jwtConfiguration"]
    names = (
        "authorizerUri",
        "authorizerPayloadFormatVersion",
        "authorizerResultTtlInSeconds",
        "enableSimpleResponses",
    )
    given |= {key: own[key] for key in names if key in own}
    if "authorizerCredentials" in own:
        given["AuthorizerCredentialsArn"] = own["authorizerCredentials"]
    identity = request.call("apigatewayv2", "create_authorizer", **given)["AuthorizerId"]
    return {"AuthorizationType": "JWT" if kind == "JWT" else "CUSTOM", "AuthorizerId": identity}


def _authorize(security: list[Document], authorizers: dict[str, Document]) -> Document:
    for item in security:
        for name, scopes in item.items():
            if authorizers.get(name):
                return authorizers[name] | ({"AuthorizationScopes": scopes} if scopes else {})
    return {}


def _make_route(request: Request, key: str, method: Document, authorization: Document) -> None:
    api, target = {"ApiId": request.physical_id}, {}
    integration = method.get(INTEGRATION)
    if isinstance(integration, dict):
        own = {new: integration[old] for new, old in IN_INTEGRATION.items() if old in integration}
        kind = str(integration.get("type", "aws_proxy")).upper()
        made = request.call("apigatewayv2", "create_integration", **api, IntegrationType=kind, **own)
        target = {"Target": f"integrations/{made['IntegrationId']}"}
    operation = {"OperationName": method["operationId"]} if "operationId" in method else {}
    request.call("apigatewayv2", "create_route", **api, RouteKey=key, **target, **operation, **authorization)
