"""A REST API from an OpenAPI document: its paths, methods, integrations, authorizers and gateway responses.

Swagger 2 and OpenAPI 3 with API Gateway's extensions, by the calls that make each part. Schemas, request
validators and documentation are left where they are, in the document: nothing in the local cloud reads them.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tidegate.local.resources.kinds import Request

METHODS: Final = {name: name.upper() for name in ("get", "put", "post", "delete", "options", "head", "patch")}
ANY: Final = "x-amazon-apigateway-any-method"
INTEGRATION: Final = "x-amazon-apigateway-integration"
AUTHORIZER: Final = "x-amazon-apigateway-authorizer"
AUTH_TYPE: Final = "x-amazon-apigateway-authtype"
RESPONSES: Final = "x-amazon-apigateway-gateway-responses"
AS_THEY_ARE: Final = (
    "cacheKeyParameters",
    "cacheNamespace",
    "connectionId",
    "connectionType",
    "contentHandling",
    "credentials",
    "requestParameters",
    "requestTemplates",
    "timeoutInMillis",
    "uri",
)
KINDS_OF_AUTHORIZER: Final = {
    "cognito_user_pools": "COGNITO_USER_POOLS",
    "token": "TOKEN",
    "request": "REQUEST",
}

Document = dict[str, Any]


def import_document(request: Request, document: Document) -> None:
    """Make the API `request.physical_id` what a document says, in place of what it had."""
    root = _clear(request)
    schemes = _list_schemes(document)
    authorizers = {name: _make_authorizer(request, name, scheme) for name, scheme in schemes.items()}
    made = {"": root}
    for path, methods in (document.get("paths") or {}).items():
        resource = _make_path(request, made, path.rstrip("/"))
        for name, method in (methods or {}).items():
            verb = "ANY" if name == ANY else METHODS.get(name.lower())
            if verb and isinstance(method, dict):
                names = {"restApiId": request.physical_id, "resourceId": resource, "httpMethod": verb}
                security = method.get("security", document.get("security"))
                _make_method(request, names, method, _choose_authorization(security, schemes, authorizers))
    for kind, response in (document.get(RESPONSES) or {}).items():
        own = {
            key: response[key]
            for key in ("responseParameters", "responseTemplates", "statusCode")
            if key in response
        }
        api = {"restApiId": request.physical_id, "responseType": kind}
        request.call("apigateway", "put_gateway_response", **api, **own)


def _clear(request: Request) -> str:
    api = {"restApiId": request.physical_id}
    items = request.call("apigateway", "get_resources", **api, limit=500)["items"]
    root = next(item for item in items if item["path"] == "/")
    for item in sorted(items, key=lambda item: -item["path"].count("/")):
        if item is not root:
            request.discard("apigateway", "delete_resource", **api, resourceId=item["id"])
    for verb in root.get("resourceMethods") or {}:
        request.discard("apigateway", "delete_method", **api, resourceId=root["id"], httpMethod=verb)
    for old in request.call("apigateway", "get_authorizers", **api).get("items", []):
        request.discard("apigateway", "delete_authorizer", **api, authorizerId=old["id"])
    return str(root["id"])


def _list_schemes(document: Document) -> dict[str, Document]:
    schemes = (
        document.get("securityDefinitions") or (document.get("components") or {}).get("securitySchemes") or {}
    )
    return {name: scheme for name, scheme in schemes.items() if isinstance(scheme, dict)}


def _make_authorizer(request: Request, name: str, scheme: Document) -> str:
    own = scheme.get(AUTHORIZER)
    if not isinstance(own, dict):
        return ""
    kind = KINDS_OF_AUTHORIZER.get(str(own.get("type", "token")).lower(), "TOKEN")
    source = own.get("identitySource") or f"method.request.header.{scheme.get('name', 'Authorization')}"
    names = {"authorizerUri": "authorizerUri", "authorizerCredentials": "authorizerCredentials"}
    names |= {"identityValidationExpression": "identityValidationExpression", "providerARNs": "providerARNs"}
    names |= {"authorizerResultTtlInSeconds": "authorizerResultTtlInSeconds"}
    given = {new: own[old] for new, old in names.items() if old in own}
    api = {"restApiId": request.physical_id, "name": name, "type": kind, "identitySource": source}
    return str(request.call("apigateway", "create_authorizer", **api, **given)["id"])


def _make_path(request: Request, made: dict[str, str], path: str) -> str:
    if path not in made:
        parent, _, part = path.rpartition("/")
        place = {"restApiId": request.physical_id, "parentId": _make_path(request, made, parent)}
        made[path] = request.call("apigateway", "create_resource", **place, pathPart=part)["id"]
    return made[path]


def _choose_authorization(
    security: list[Document] | None, schemes: dict[str, Document], authorizers: dict[str, str]
) -> Document:
    for item in security or []:
        for name in item:
            if authorizers.get(name):
                kind = schemes[name][AUTHORIZER].get("type", "token")
                cognito = str(kind).lower() == "cognito_user_pools"
                given = "COGNITO_USER_POOLS" if cognito else "CUSTOM"
                return {"authorizationType": given, "authorizerId": authorizers[name]}
            if schemes.get(name, {}).get(AUTH_TYPE) == "awsSigv4":
                return {"authorizationType": "AWS_IAM"}
    return {"authorizationType": "NONE"}


def _make_method(request: Request, names: Document, method: Document, authorization: Document) -> None:
    security = method.get("security") or []
    keyed = {"apiKeyRequired": True} if any("api_key" in item for item in security) else {}
    operation = {"operationName": method["operationId"]} if "operationId" in method else {}
    request.call("apigateway", "put_method", **names, **authorization, **keyed, **operation)
    for status in method.get("responses") or {}:
        if str(status).isdigit():
            request.call("apigateway", "put_method_response", **names, statusCode=status)
    integration = method.get(INTEGRATION)
    if isinstance(integration, dict):
        _integrate(request, names, integration)


def _integrate(request: Request, names: Document, integration: Document) -> None:
    own: Document = {key: integration[key] for key in AS_THEY_ARE if key in integration}
    if "httpMethod" in integration:
        own["integrationHttpMethod"] = str(integration["httpMethod"]).upper()
    if "passthroughBehavior" in integration:
        own["passthroughBehavior"] = str(integration["passthroughBehavior"]).upper()
    kind = str(integration.get("type", "aws_proxy")).upper()
    request.call("apigateway", "put_integration", **names, type=kind, **own)
    for pattern, response in (integration.get("responses") or {}).items():
        kept = ("responseParameters", "responseTemplates", "contentHandling", "statusCode")
        given = {key: response[key] for key in kept if key in response}
        chosen = {} if pattern == "default" else {"selectionPattern": pattern}
        request.call("apigateway", "put_integration_response", **names, **chosen, **given)
