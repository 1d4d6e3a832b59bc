"""AWS::Lambda::Permission and AWS::Lambda::Url: who may call a function, or one of its aliases."""

from __future__ import annotations

import re
from typing import Final

from tidegate.local.resources.api import ALL, ApiKind
from tidegate.local.resources.kinds import Kind, Naming, Request, generate_name

QUALIFIED: Final = re.compile(
    r"(?P<name>(?:arn:[^:]+:lambda:[^:]+:\d+:function:)?[^:]+)(?::(?P<qualifier>[^:]+))?"
)


def split_function(name: str) -> dict[str, str]:
    """Split a function's name or ARN into FunctionName and, if it has one, Qualifier."""
    match = QUALIFIED.fullmatch(name)
    if match is None or not match["qualifier"]:
        return {"FunctionName": name}
    return {"FunctionName": match["name"], "Qualifier": match["qualifier"]}


class Permission(ApiKind):
    """A statement of the policy of a function or of one of its qualifiers; the id is the statement's."""

    type = "AWS::Lambda::Permission"
    create_only = ALL

    def create(self, request: Request) -> None:
        """AddPermission under a generated statement id."""
        statement = generate_name(request.stack_name, request.logical_id, Naming("", 100))
        own = request.rest("FunctionName")
        target = split_function(request.properties["FunctionName"])
        request.call("lambda", "add_permission", StatementId=statement, **own, **target)
        request.settle(statement, Id=statement)

    def delete(self, request: Request) -> None:
        """RemovePermission."""
        target = split_function(request.properties["FunctionName"])
        request.discard("lambda", "remove_permission", StatementId=request.physical_id, **target)


class Url(Kind):
    """A function URL; Ref is the ARN that it stands for."""

    type = "AWS::Lambda::Url"
    create_only = frozenset({"TargetFunctionArn", "Qualifier"})

    def create(self, request: Request) -> None:
        """CreateFunctionUrlConfig."""
        answer = request.call(
            "lambda", "create_function_url_config", **self._target(request), **self._rest(request)
        )
        arn = answer["FunctionArn"]
        qualifier = self._target(request).get("Qualifier")
        if qualifier and not arn.endswith(f":{qualifier}"):
            arn = f"{arn}:{qualifier}"
        request.settle(arn, FunctionUrl=answer["FunctionUrl"], FunctionArn=arn)

    def update(self, request: Request) -> None:
        """UpdateFunctionUrlConfig."""
        request.call("lambda", "update_function_url_config", **self._target(request), **self._rest(request))

    def delete(self, request: Request) -> None:
        """DeleteFunctionUrlConfig."""
        request.discard("lambda", "delete_function_url_config", **self._target(request))

    @staticmethod
    def _target(request: Request) -> dict[str, str]:
        return split_function(request.properties["TargetFunctionArn"]) | request.pick("Qualifier")

    @staticmethod
    def _rest(request: Request) -> dict[str, object]:
        return request.rest("TargetFunctionArn", "Qualifier")


KINDS: Final = (Permission, Url)
