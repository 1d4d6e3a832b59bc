"""AWS::Cognito: UserPool, UserPoolClient, UserPoolDomain, UserPoolGroup, IdentityPool."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from tidegate.local.resources.api import ALL, ApiKind
from tidegate.local.resources.kinds import Naming, Request


class UserPool(ApiKind):
    """A user pool; Ref is its id."""

    type = "AWS::Cognito::UserPool"
    naming = Naming("PoolName", 128)
    service, creates, updates, deletes = (
        "cognito-idp",
        "create_user_pool",
        "update_user_pool",
        "delete_user_pool",
    )
    key, identity = "UserPoolId", "UserPool.Id"
    kept = ("PoolName", "Schema", "AliasAttributes", "UsernameAttributes", "UsernameConfiguration", "Tags")
    create_only = frozenset({"AliasAttributes", "UsernameAttributes", "UsernameConfiguration"})
    ignored = ("UserPoolName", "EnabledMfas")

    def name(self, request: Request) -> str:
        """The property is named otherwise than the parameter."""
        return str(request.properties.get("UserPoolName") or super().name(request))

    def take(self, request: Request, answer: dict[str, Any]) -> None:
        """Its ARN and what tokens name."""
        pool = answer["UserPool"]
        provider = f"cognito-idp.{request.region}.amazonaws.com/{pool['Id']}"
        url = f"https://{provider}"
        request.settle(
            pool["Id"], Arn=pool["Arn"], ProviderName=provider, ProviderURL=url, UserPoolId=pool["Id"]
        )


class UserPoolClient(ApiKind):
    """A client of a user pool; Ref is its id."""

    type = "AWS::Cognito::UserPoolClient"
    create_only = frozenset({"UserPoolId", "GenerateSecret"})
    naming = Naming("ClientName", 128)
    service, creates = "cognito-idp", "create_user_pool_client"
    updates, deletes = "update_user_pool_client", "delete_user_pool_client"
    key, identity, constant = "ClientId", "UserPoolClient.ClientId", ("UserPoolId",)

    def take(self, request: Request, answer: dict[str, Any]) -> None:
        """Its id and, if it has one, its secret."""
        client = answer["UserPoolClient"]
        secret = {"ClientSecret": client["ClientSecret"]} if "ClientSecret" in client else {}
        request.settle(client["ClientId"], ClientId=client["ClientId"], Name=client["ClientName"], **secret)


class UserPoolDomain(ApiKind):
    """The domain of a user pool; Ref is the domain."""

    type = "AWS::Cognito::UserPoolDomain"
    create_only = ALL
    service, creates, deletes = "cognito-idp", "create_user_pool_domain", "delete_user_pool_domain"
    key, constant, ignored = "Domain", ("UserPoolId",), ("ManagedLoginVersion",)

    def take(self, request: Request, answer: dict[str, Any]) -> None:
        """The domain is its own name."""
        request.settle(
            request.properties["Domain"], CloudFrontDistribution=answer.get("CloudFrontDomain", "")
        )


class UserPoolGroup(ApiKind):
    """A group of a user pool; Ref is its name."""

    type = "AWS::Cognito::UserPoolGroup"
    create_only = frozenset({"UserPoolId", "GroupName"})
    naming = Naming("GroupName", 128)
    service, creates, updates, deletes = "cognito-idp", "create_group", "update_group", "delete_group"
    key, constant = "GroupName", ("UserPoolId",)


class IdentityPool(ApiKind):
    """An identity pool; Ref is its id."""

    type = "AWS::Cognito::IdentityPool"
    naming = Naming("IdentityPoolName", 128)
    service, creates, deletes = "cognito-identity", "create_identity_pool", "delete_identity_pool"
    key, identity = "IdentityPoolId", "IdentityPoolId"
    returned: ClassVar[dict[str, str]] = {"Name": "IdentityPoolName"}


KINDS: Final = (UserPool, UserPoolClient, UserPoolDomain, UserPoolGroup, IdentityPool)
