"""AWS::AppSync: GraphQLApi, GraphQLSchema and ApiKey.

Nothing in the local cloud answers queries, so the types that would (data sources, resolvers, functions) are
refused by name.
"""

from __future__ import annotations

from typing import Any, Final

from tidegate.local.resources.api import ApiKind
from tidegate.local.resources.kinds import Kind, Request


class GraphqlApi(ApiKind):
    """An API; Ref is its ARN."""

    type = "AWS::AppSync::GraphQLApi"
    service, creates, updates, deletes = (
        "appsync",
        "create_graphql_api",
        "update_graphql_api",
        "delete_graphql_api",
    )
    key = "apiId"
    ignored = ("Tags",)

    def take(self, request: Request, answer: dict[str, Any]) -> None:
        """Its id and addresses."""
        api = answer["graphqlApi"]
        uris = api.get("uris") or {}
        attributes = {"ApiId": api["apiId"], "Arn": api["arn"], "GraphQLUrl": uris.get("GRAPHQL", "")}
        request.settle(api["arn"], **attributes)

    def update(self, request: Request) -> None:
        """UpdateGraphqlApi, by id."""
        own = self.parameters(request)
        request.call("appsync", "update_graphql_api", **own, apiId=request.attributes["ApiId"])

    def delete(self, request: Request) -> None:
        """DeleteGraphqlApi, by id."""
        request.discard("appsync", "delete_graphql_api", apiId=request.attributes["ApiId"])


class GraphqlSchema(Kind):
    """The schema of an API; it goes with the API."""

    type = "AWS::AppSync::GraphQLSchema"
    create_only = frozenset({"ApiId"})

    def create(self, request: Request) -> None:
        """StartSchemaCreation with the text or the object in S3."""
        self.update(request)
        request.settle(f"{request.properties['ApiId']}GraphQLSchema", Id=request.name)

    def update(self, request: Request) -> None:
        """The same."""
        text = request.properties.get("Definition")
        if text is None:
            bucket, _, key = request.properties["DefinitionS3Location"].removeprefix("s3://").partition("/")
            text = request.call("s3", "get_object", Bucket=bucket, Key=key)["Body"].read()
        request.call("appsync", "start_schema_creation", **request.pick("ApiId"), definition=text)

    def delete(self, request: Request) -> None:
        """It goes with the API."""


class ApiKey(ApiKind):
    """A key of an API; Ref is its ARN-like id."""

    type = "AWS::AppSync::ApiKey"
    create_only = frozenset({"ApiId"})
    service, creates, updates, deletes = "appsync", "create_api_key", "update_api_key", "delete_api_key"
    key, constant = "id", ("ApiId",)

    def take(self, request: Request, answer: dict[str, Any]) -> None:
        """Its id, which is the key."""
        identity = answer["apiKey"]["id"]
        arn = request.arn("appsync", f"apis/{request.properties['ApiId']}/apikeys/{identity}")
        request.settle(identity, ApiKey=identity, ApiKeyId=identity, Arn=arn)


KINDS: Final = (GraphqlApi, GraphqlSchema, ApiKey)
