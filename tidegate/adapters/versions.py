"""The published versions of a function: listed, what needs each of them, and deleted one by one.

All lists are read page by page. Source: AWS Lambda API Reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from tidegate.domain.pruning import Published

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_lambda import LambdaClient

UNFINISHED: Final[list[Any]] = ["RUNNING", "PAUSING", "PAUSED"]
MISSING: Final = "ResourceNotFoundException"
# Versions by function, each with why it is needed.
Needs = dict[str, dict[str, str]]


def list_published(client: LambdaClient, function: str) -> tuple[Published, ...]:
    """The numbered versions, the oldest first; none where the function is gone."""
    try:
        pages = list(client.get_paginator("list_versions_by_function").paginate(FunctionName=function))
    except ClientError as error:
        if error.response["Error"]["Code"] == MISSING:
            return ()
        raise
    return tuple(
        Published(
            version=item["Version"],
            description=item.get("Description", ""),
            durable=bool(item.get("DurableConfig")),
        )
        for page in pages
        for item in page["Versions"]
        if item["Version"].isdigit()
    )


def find_pointed(client: LambdaClient, function: str) -> dict[str, str]:
    """The versions that an alias, whoever's, points at."""
    needs: dict[str, str] = {}
    for page in client.get_paginator("list_aliases").paginate(FunctionName=function):
        for alias in page["Aliases"]:
            weights: Any = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
            for version in (alias["FunctionVersion"], *weights):
                needs[version] = f"the alias {alias['Name']} points at it"
    return needs


def list_mapped(client: LambdaClient) -> Needs:
    """The versions that event source mappings name by their number, over all functions of the account."""
    needs: Needs = {}
    for page in client.get_paginator("list_event_source_mappings").paginate():
        for item in page["EventSourceMappings"]:
            function, _, qualifier = item.get("FunctionArn", "").partition(":function:")[2].partition(":")
            if qualifier.isdigit():
                needs.setdefault(function, {})[qualifier] = (
                    f"the event source mapping {item['UUID']} feeds it"
                )
    return needs


def list_anchors(client: CloudFormationClient, stack: str) -> Needs:
    """The versions that are resources of a stack or of one nested in it; none where the stack is gone."""
    needs: Needs = {}
    waiting = [stack]
    while waiting:
        name = waiting.pop()
        for item in _list_resources(client, name):
            physical = item.get("PhysicalResourceId", "")
            if item["ResourceType"] == "AWS::Lambda::Version" and physical:
                *_, function, version = physical.split(":")
                why = f"the anchor of {stack}: a resource of the stack"
                needs.setdefault(function, {})[version] = why
            elif item["ResourceType"] == "AWS::CloudFormation::Stack" and physical:
                waiting.append(physical)
    return needs


def _list_resources(client: CloudFormationClient, stack: str) -> list[Any]:
    try:
        pages = list(client.get_paginator("list_stack_resources").paginate(StackName=stack))
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return []
        raise
    return [item for page in pages for item in page["StackResourceSummaries"]]


def find_use(client: LambdaClient, function: str, found: Published) -> str:
    """Who uses a version by its number: a permission of its own, or a durable execution; "" if nobody."""
    try:
        client.get_policy(FunctionName=function, Qualifier=found.version)
    except ClientError as error:
        if error.response["Error"]["Code"] != MISSING:
            raise
    else:
        return "somebody may invoke it by its number: it has a permission of its own"
    if found.durable and _is_executing(client, function, found.version):
        return "a durable execution runs on it"
    return ""


def _is_executing(client: LambdaClient, function: str, version: str) -> bool:
    """Whether any durable execution runs or may run again; a page may be empty and have a further one."""
    pages = client.get_paginator("list_durable_executions_by_function").paginate(
        FunctionName=function, Qualifier=version, Statuses=UNFINISHED
    )
    return any(page["DurableExecutions"] for page in pages)


def delete_version(client: LambdaClient, function: str, version: str) -> str:
    """Delete a version; gives why it stays where Lambda refuses. One that is gone already is no error."""
    try:
        client.delete_function(FunctionName=function, Qualifier=version)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "ResourceConflictException":
            return f"Lambda refuses: {error.response['Error']['Message']}"
        if code != MISSING:
            raise
    return ""
