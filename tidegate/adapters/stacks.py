"""CloudFormation stacks and change sets of one stage. No call here waits: the state machine comes back.

Statuses: AWS CloudFormation User Guide, "Stack status codes" and "Change set status codes".
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, Final, Literal

from botocore.exceptions import ClientError
from pydantic import Field

from tidegate.domain.errors import ChangeSetFailed
from tidegate.domain.guards import FUNCTIONS_PER_STACK, guard_name
from tidegate.domain.identity import Frozen
from tidegate.domain.nesting import qualify
from tidegate.domain.templates.changes import ChangedResource

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mypy_boto3_cloudformation import CloudFormationClient

NO_CHANGES: Final = ("didn't contain changes", "No updates are to be performed")
NESTED_CHANGE_SET: Final = re.compile(r"arn:[^ ]+:changeSet/[^ ]+")
MASKED: Final = "****"  # a parameter that keeps its value; what CloudFormation shows of a NoEcho one


class StackState(Frozen):
    """A stack as it is now."""

    name: str
    status: str
    reason: str = ""
    parameters: dict[str, str] = Field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    tags: dict[str, str] = Field(default_factory=dict)
    outputs: dict[str, str] = Field(default_factory=dict)

    @property
    def is_busy(self) -> bool:
        """Whether an operation runs; REVIEW_IN_PROGRESS is a state of rest in spite of its name."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    @property
    def is_carcass(self) -> bool:
        """Whether it never came up and must be deleted before the next attempt."""
        return self.status in {"ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS", "ROLLBACK_FAILED", "CREATE_FAILED"}

    @property
    def needs_operator(self) -> bool:
        """Whether only a person can end this state."""
        return self.status in {"UPDATE_ROLLBACK_FAILED", "DELETE_FAILED"}

    @property
    def is_healthy(self) -> bool:
        """Whether the last operation did what was asked."""
        return self.status in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"}


class ChangeSet(Frozen):
    """A change set: whether it is computed, and what it would change."""

    status: str
    execution: str
    reason: str = ""
    changes: tuple[ChangedResource, ...] = ()

    @property
    def is_pending(self) -> bool:
        """Whether CloudFormation still computes it."""
        return self.status in {"CREATE_PENDING", "CREATE_IN_PROGRESS"}

    @property
    def is_settled(self) -> bool:
        """Whether CloudFormation does nothing with it: it refuses to delete one that it works on."""
        works = self.is_pending or self.status in {"DELETE_PENDING", "DELETE_IN_PROGRESS"}
        return not works and self.execution != "EXECUTE_IN_PROGRESS"

    @property
    def is_executed(self) -> bool:
        """Whether its execution has ended, well or not."""
        return self.execution in {"EXECUTE_COMPLETE", "EXECUTE_FAILED"}

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to change: CloudFormation calls that a failure, Tidegate a success."""
        return self.status == "FAILED" and any(text in self.reason for text in NO_CHANGES)


def find_stack(client: CloudFormationClient, name: str) -> StackState | None:
    """The stack of that name, or None."""
    try:
        stack = client.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    return StackState(
        name=stack["StackName"],
        status=stack["StackStatus"],
        reason=stack.get("StackStatusReason", ""),
        parameters={item["ParameterKey"]: item["ParameterValue"] for item in stack.get("Parameters", [])},
        capabilities=tuple(stack.get("Capabilities", [])),
        tags={item["Key"]: item["Value"] for item in stack.get("Tags", [])},
        outputs={item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", [])},
    )


def read_template(client: CloudFormationClient, name: str, *, processed: bool = False) -> str:
    """The template that the stack was last given, as JSON text or as it was written.

    `processed` gives it as CloudFormation's transforms (SAM's among them) have left it.
    """
    stage: Literal["Original", "Processed"] = "Processed" if processed else "Original"
    body: Any = client.get_template(StackName=name, TemplateStage=stage)["TemplateBody"]
    return body if isinstance(body, str) else json.dumps(body)


def find_change_set(client: CloudFormationClient, stack: str, name: str) -> ChangeSet | None:
    """The change set with all its changes, or None; those of nested stacks by `<child>/<logical id>`.

    Why a nested one could not be computed stands after the reason, which names it alone.
    """
    found = _read_change_set(client, {"StackName": stack, "ChangeSetName": name}, "")
    if found is None or found.status != "FAILED":
        return found
    return found.model_copy(update={"reason": f"{found.reason}{_explain_nested(client, found.reason)}"})


def _read_change_set(client: CloudFormationClient, named: Mapping[str, str], path: str) -> ChangeSet | None:
    """All pages of one, then those of the nested ones that it names."""
    raw: list[Any] = []
    token: dict[str, Any] = {}
    while True:
        try:
            page: Any = client.describe_change_set(**named, **token)  # type: ignore[arg-type]
        except ClientError as error:
            if _is_missing(error):
                return None
            raise
        raw += [item["ResourceChange"] for item in page.get("Changes", [])]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    changes = [_change(item, path) for item in raw]
    for item in raw:
        if identity := item.get("ChangeSetId"):
            inner = qualify(path, item["LogicalResourceId"])
            nested = _read_change_set(client, {"ChangeSetName": identity}, inner)
            changes += nested.changes if nested else ()
    return ChangeSet(
        status=page["Status"],
        execution=page.get("ExecutionStatus", ""),
        reason=page.get("StatusReason", ""),
        changes=tuple(changes),
    )


def _explain_nested(client: CloudFormationClient, reason: str) -> str:
    named = NESTED_CHANGE_SET.search(reason)
    found = _read_change_set(client, {"ChangeSetName": named[0]}, "") if named else None
    return f" {found.reason}{_explain_nested(client, found.reason)}" if found else ""


def _is_missing(error: ClientError) -> bool:
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
    return code in {"ChangeSetNotFound", "ChangeSetNotFoundException"} or "does not exist" in message


def _change(change: Mapping[str, Any], path: str) -> ChangedResource:
    targets = [detail["Target"] for detail in change.get("Details", []) if "Target" in detail]
    names = {target.get("Name") or target.get("Attribute", "") for target in targets}
    return ChangedResource(
        action=change["Action"],
        logical_id=qualify(path, change["LogicalResourceId"]),
        type=change["ResourceType"],
        replacement=change.get("Replacement") in {"True", "Conditional"},
        properties=tuple(sorted(filter(None, names))),
    )


def create_change_set(  # noqa: PLR0913
    client: CloudFormationClient,
    stack: str,
    name: str,
    *,
    template_url: str,
    parameters: Mapping[str, str],
    capabilities: Iterable[str],
    role: str,
    exists: bool,
    nested: bool = False,
) -> None:
    """Ask for a change set. A masked (NoEcho) parameter keeps its previous value.

    nested: whether nested stacks are planned too; without, they are changed all the same when it is executed.
    """
    try:
        client.create_change_set(
            StackName=stack,
            ChangeSetName=name,
            ChangeSetType="UPDATE" if exists else "CREATE",
            TemplateURL=template_url,
            Parameters=[_parameter(key, value) for key, value in sorted(parameters.items())],
            Capabilities=sorted(capabilities),  # type: ignore[arg-type]
            RoleARN=role,
            **({"IncludeNestedStacks": True} if nested else {}),  # type: ignore[arg-type]
        )
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "AlreadyExistsException":
            return
        if code in {"ValidationError", "InsufficientCapabilitiesException", "LimitExceededException"}:
            message = (
                f"CloudFormation refuses the change set of {stack}: {error.response['Error']['Message']}"
            )
            raise ChangeSetFailed(message) from error
        raise


def _parameter(key: str, value: str) -> Any:  # noqa: ANN401
    if value == MASKED:
        return {"ParameterKey": key, "UsePreviousValue": True}
    return {"ParameterKey": key, "ParameterValue": value}


def execute(client: CloudFormationClient, stack: str, change_set: str) -> None:
    """Start the execution of a change set; one that runs or ran already is left alone."""
    try:
        client.execute_change_set(StackName=stack, ChangeSetName=change_set)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {
            "InvalidChangeSetStatus",
            "InvalidChangeSetStatusException",
        }:
            raise


def create(
    client: CloudFormationClient, stack: str, template_url: str, role: str, tags: Mapping[str, str]
) -> None:
    """Start the creation of a stack; one that somebody created in the meantime is left alone."""
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    try:
        client.create_stack(
            StackName=stack,
            TemplateURL=template_url,
            RoleARN=role,
            Capabilities=["CAPABILITY_IAM"],
            Tags=pairs,  # type: ignore[arg-type]
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "AlreadyExistsException":
            raise


def delete(client: CloudFormationClient, stack: str, role: str) -> None:
    """Start the deletion of a stack; a missing one is no error."""
    client.delete_stack(StackName=stack, RoleARN=role)


def delete_guards(client: CloudFormationClient, service: str, stage: str, functions: int, role: str) -> None:
    """Start the deletion of the side stacks that guard so many functions."""
    for index in range(math.ceil(functions / FUNCTIONS_PER_STACK)):
        delete(client, guard_name(service, stage, index), role)


def delete_change_set(client: CloudFormationClient, stack: str, name: str) -> None:
    """Delete a change set; a missing one is no error."""
    try:
        client.delete_change_set(StackName=stack, ChangeSetName=name)
    except ClientError as error:
        if not _is_missing(error):
            raise
