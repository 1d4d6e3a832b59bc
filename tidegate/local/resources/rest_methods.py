"""AWS::ApiGateway::Resource and Method."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from tidegate.local.resources.api import ALL, ApiKind
from tidegate.local.resources.kinds import Kind, Request

NOT_CALLED: Final = ("Integration", "MethodResponses")


class Resource(ApiKind):
    """A path of an API; Ref is its id."""

    type = "AWS::ApiGateway::Resource"
    create_only = ALL
    service, creates, deletes = "apigateway", "create_resource", "delete_resource"
    key, identity, constant = "resourceId", "id", ("RestApiId",)
    returned: ClassVar[dict[str, str]] = {"ResourceId": "id"}


class Method(Kind):
    """A method of a path, with its integration; an update makes it anew under the same id."""

    type = "AWS::ApiGateway::Method"
    create_only = frozenset({"RestApiId", "ResourceId", "HttpMethod"})

    def create(self, request: Request) -> None:
        """PutMethod, its responses, its integration."""
        names = request.pick("RestApiId", "ResourceId", "HttpMethod")
        own = request.rest(*NOT_CALLED, *names)
        own.setdefault("AuthorizationType", "NONE")
        request.call("apigateway", "put_method", **names, **own)
        request.settle(request.name)
        for response in request.properties.get("MethodResponses") or []:
            request.call("apigateway", "put_method_response", **names, **response)
        if "Integration" in request.properties:
            self._integrate(request, names, dict(request.properties["Integration"]))

    @staticmethod
    def _integrate(request: Request, names: dict[str, Any], integration: dict[str, Any]) -> None:
        responses = integration.pop("IntegrationResponses", None) or []
        if method := integration.pop("IntegrationHttpMethod", None):
            integration["integrationHttpMethod"] = method
        request.call("apigateway", "put_integration", **names, **integration)
        for response in responses:
            request.call("apigateway", "put_integration_response", **names, **response)

    def update(self, request: Request) -> None:
        """Take it away and make it again."""
        identity = request.physical_id
        self.delete(request)
        request.name = identity
        self.create(request)

    def delete(self, request: Request) -> None:
        """DeleteMethod."""
        names = request.pick("RestApiId", "ResourceId", "HttpMethod")
        request.discard("apigateway", "delete_method", **names)


KINDS: Final = (Resource, Method)
