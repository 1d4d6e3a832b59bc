"""AWS::ApiGateway: RestApi, Deployment, Stage, Account, and what hangs on an API as a whole."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Final

import yaml

from tidegate.local.resources.api import ALL, ApiKind
from tidegate.local.resources.kinds import Kind, Naming, Request
from tidegate.local.resources.openapi import import_document
from tidegate.local.stack_errors import ResourceFailure

BODY: Final = frozenset({"Body", "BodyS3Location", "Mode", "FailOnWarnings", "Parameters"})
NOT_CALLED: Final = (*BODY, "Name", "Tags")


class RestApi(Kind):
    """A REST API, with or without an OpenAPI body; Ref is its id."""

    type = "AWS::ApiGateway::RestApi"
    tagging = "list"

    def create(self, request: Request) -> None:
        """CreateRestApi, then what its body says."""
        body = read_body(request)
        name = request.properties.get("Name") or (body or {}).get("info", {}).get("title") or request.name
        own = request.rest(*NOT_CALLED, "ApiKeySourceType") | request.pick(apiKeySource="ApiKeySourceType")
        answer = request.call("apigateway", "create_rest_api", name=name, tags=request.tags, **own)
        request.settle(answer["id"], RestApiId=answer["id"])
        if body is not None:
            import_document(request, body)
        roots = request.call("apigateway", "get_resources", restApiId=answer["id"], limit=500)["items"]
        root = next(item["id"] for item in roots if item["path"] == "/")
        request.settle(answer["id"], RootResourceId=root)

    def update(self, request: Request) -> None:
        """UpdateRestApi by what changed; a changed body is taken in anew."""
        changed, api = request.changed, request.physical_id
        if changed & BODY:
            body = read_body(request)
            if body is None:
                raise ResourceFailure(
                    "AWS::ApiGateway::RestApi: taking the Body away is not available in the local cloud"
                )
            import_document(request, body)
        patches = {"Name": "/name", "Description": "/description", "ApiKeySourceType": "/apiKeySource"}
        patches |= {"DisableExecuteApiEndpoint": "/disableExecuteApiEndpoint", "Policy": "/policy"}
        operations = [
            _patch(path, request.properties.get(key, "")) for key, path in patches.items() if key in changed
        ]
        if operations:
            request.call("apigateway", "update_rest_api", restApiId=api, patchOperations=operations)
        if strangers := changed - set(patches) - BODY - {"Tags"}:
            names = ", ".join(sorted(strangers))
            raise ResourceFailure(
                f"AWS::ApiGateway::RestApi: an update of {names} is not available in the local cloud"
            )

    def delete(self, request: Request) -> None:
        """DeleteRestApi."""
        request.discard("apigateway", "delete_rest_api", restApiId=request.physical_id)


def read_body(request: Request) -> dict[str, Any] | None:
    """The OpenAPI document of an API: in the template, or in S3."""
    if "Body" in request.properties:
        return request.properties["Body"]  # type: ignore[no-any-return]
    place = request.properties.get("BodyS3Location")
    if not place:
        return None
    if isinstance(place, str):
        bucket, _, key = place.removeprefix("s3://").partition("/")
        place = {"Bucket": bucket, "Key": key}
    text = request.call("s3", "get_object", Bucket=place["Bucket"], Key=place["Key"])["Body"].read()
    return yaml.safe_load(text)  # type: ignore[no-any-return]


def _patch(path: str, value: Any) -> dict[str, str]:  # noqa: ANN401
    if isinstance(value, bool):
        value = str(value).lower()
    return {
        "op": "replace",
        "path": path,
        "value": json.dumps(value) if isinstance(value, dict) else str(value),
    }


class Deployment(ApiKind):
    """A snapshot of an API; Ref is its id. Its description can change, all else makes another."""

    type = "AWS::ApiGateway::Deployment"
    create_only = ALL
    service, creates, deletes = "apigateway", "create_deployment", "delete_deployment"
    key, identity, constant = "deploymentId", "id", ("RestApiId",)
    ignored = ("StageDescription", "DeploymentCanarySettings")
    returned: ClassVar[dict[str, str]] = {"DeploymentId": "id"}

    def delete(self, request: Request) -> None:
        """DeleteDeployment, after the stage that it made by itself."""
        if "StageName" in request.properties:
            names = request.pick("RestApiId", "StageName")
            found = self._find_stage(request, names)
            if found.get("deploymentId") == request.physical_id:
                request.discard("apigateway", "delete_stage", **names)
        super().delete(request)

    @staticmethod
    def _find_stage(request: Request, names: dict[str, Any]) -> dict[str, Any]:
        stages = request.call("apigateway", "get_stages", restApiId=names["RestApiId"]).get("item", [])
        return next((stage for stage in stages if stage["stageName"] == names["StageName"]), {})


class Stage(Kind):
    """A stage of an API; Ref is its name."""

    type = "AWS::ApiGateway::Stage"
    create_only = frozenset({"RestApiId", "StageName"})
    tagging = "list"

    def create(self, request: Request) -> None:
        """CreateStage, then the settings that it does not take."""
        own = request.rest("AccessLogSetting", "MethodSettings", "Tags", "ClientCertificateId")
        request.call("apigateway", "create_stage", **own, tags=request.tags)
        request.settle(request.properties["StageName"])
        self._settle(request, {"AccessLogSetting", "MethodSettings"} & set(request.properties))

    def update(self, request: Request) -> None:
        """UpdateStage by what changed."""
        self._settle(request, request.changed)

    def delete(self, request: Request) -> None:
        """DeleteStage."""
        request.discard("apigateway", "delete_stage", **request.pick("RestApiId", "StageName"))

    @staticmethod
    def _settle(request: Request, changed: set[str]) -> None:
        properties = request.properties
        plain = {
            "DeploymentId": "/deploymentId",
            "Description": "/description",
            "TracingEnabled": "/tracingEnabled",
        }
        plain |= {"CacheClusterEnabled": "/cacheClusterEnabled", "CacheClusterSize": "/cacheClusterSize"}
        operations = [_patch(path, properties.get(key, "")) for key, path in plain.items() if key in changed]
        if "Variables" in changed:
            new, old = properties.get("Variables") or {}, request.previous.get("Variables") or {}
            operations += [
                _patch(f"/variables/{key}", value) for key, value in new.items() if old.get(key) != value
            ]
            operations += [{"op": "remove", "path": f"/variables/{key}"} for key in set(old) - set(new)]
        if "AccessLogSetting" in changed:
            log = properties.get("AccessLogSetting") or {}
            names = {"DestinationArn": "destinationArn", "Format": "format"}
            operations += [_patch(f"/accessLogSettings/{names[key]}", value) for key, value in log.items()]
        if "MethodSettings" in changed:
            operations += [
                operation
                for item in properties.get("MethodSettings") or []
                for operation in _patch_method(item)
            ]
        if operations:
            names = request.pick("RestApiId", "StageName")
            request.call("apigateway", "update_stage", **names, patchOperations=operations)


SETTINGS: Final = {
    "MetricsEnabled": "metrics/enabled",
    "LoggingLevel": "logging/loglevel",
    "DataTraceEnabled": "logging/dataTrace",
    "ThrottlingBurstLimit": "throttling/burstLimit",
    "ThrottlingRateLimit": "throttling/rateLimit",
    "CachingEnabled": "caching/enabled",
    "CacheTtlInSeconds": "caching/ttlInSeconds",
    "CacheDataEncrypted": "caching/dataEncrypted",
}


def _patch_method(item: dict[str, Any]) -> list[dict[str, str]]:
    path = str(item.get("ResourcePath", "/*"))
    path = "*" if path == "/*" else path.replace("/", "~1")
    place = f"/{path}/{item.get('HttpMethod', '*')}"
    return [_patch(f"{place}/{SETTINGS[key]}", item[key]) for key in SETTINGS if key in item]


class Account(Kind):
    """The settings of API Gateway for the account; deletion leaves them."""

    type = "AWS::ApiGateway::Account"

    def create(self, request: Request) -> None:
        """UpdateAccount."""
        self.update(request)
        request.settle(request.name, Id=request.name)

    def update(self, request: Request) -> None:
        """The same."""
        if role := request.properties.get("CloudWatchRoleArn"):
            operations = [_patch("/cloudwatchRoleArn", role)]
            request.call("apigateway", "update_account", patchOperations=operations)

    def delete(self, request: Request) -> None:
        """AWS leaves the account's settings too."""


class Authorizer(ApiKind):
    """An authorizer; Ref is its id."""

    type = "AWS::ApiGateway::Authorizer"
    service, creates, deletes = "apigateway", "create_authorizer", "delete_authorizer"
    key, identity, constant = "authorizerId", "id", ("RestApiId",)
    renamed: ClassVar[dict[str, str]] = {
        "AuthorizerCredentials": "authorizerCredentials",
        "ProviderARNs": "providerARNs",
    }
    returned: ClassVar[dict[str, str]] = {"AuthorizerId": "id"}


class Model(ApiKind):
    """A model; Ref is its name."""

    type = "AWS::ApiGateway::Model"
    naming = Naming("Name", 64)
    service, creates, deletes = "apigateway", "create_model", "delete_model"
    key, constant = "modelName", ("RestApiId",)

    def name(self, request: Request) -> str:
        """A model's name is alphanumeric."""
        return "".join(letter for letter in super().name(request) if letter.isalnum())


class RequestValidator(ApiKind):
    """A request validator; Ref is its id."""

    type = "AWS::ApiGateway::RequestValidator"
    service, creates, deletes = "apigateway", "create_request_validator", "delete_request_validator"
    key, identity, constant = "requestValidatorId", "id", ("RestApiId",)
    returned: ClassVar[dict[str, str]] = {"RequestValidatorId": "id"}


class GatewayResponse(ApiKind):
    """What an API answers by itself."""

    type = "AWS::ApiGateway::GatewayResponse"
    service, creates, updates = "apigateway", "put_gateway_response", "put_gateway_response"
    deletes, create_only = "delete_gateway_response", frozenset({"RestApiId", "ResponseType"})

    def take(self, request: Request, answer: dict[str, Any]) -> None:  # noqa: ARG002
        """It has an id of its own."""
        request.settle(request.name, Id=request.name)

    def update(self, request: Request) -> None:
        """It is put again."""
        request.call("apigateway", "put_gateway_response", **request.rest())

    def delete(self, request: Request) -> None:
        """DeleteGatewayResponse."""
        request.discard("apigateway", "delete_gateway_response", **request.pick("RestApiId", "ResponseType"))


KINDS: Final = (
    RestApi,
    Deployment,
    Stage,
    Account,
    Authorizer,
    Model,
    RequestValidator,
    GatewayResponse,
)
