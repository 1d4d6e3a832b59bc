"""The API's actions on change sets."""

from __future__ import annotations

import functools
import re
import uuid
from typing import TYPE_CHECKING, Any, Final

from tidegate.local import stack_operations
from tidegate.local.stack_change_trees import plan_nested
from tidegate.local.stack_control import check_updatable, new_stack
from tidegate.local.stack_errors import (
    AlreadyExistsError,
    InvalidChangeSetStatusError,
    ResourceFailure,
    ValidationError,
)
from tidegate.local.stack_plans import NOTHING, make_plan
from tidegate.local.stack_records import ChangeSet
from tidegate.local.stack_requests import find_or_refuse, make_revision, page, read_flag

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.local.stack_records import Stack
    from tidegate.local.stack_registry import Platform, Registry

NAME: Final = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")


def create_change_set(platform: Platform, registry: Registry, parameters: dict[str, Any]) -> dict[str, Any]:
    """CreateChangeSet: checked at once, computed in the background."""
    name, kind = parameters["ChangeSetName"], parameters.get("ChangeSetType") or "UPDATE"
    if not NAME.fullmatch(name):
        raise ValidationError(
            f"1 validation error detected: Value '{name}' at 'changeSetName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )
    if kind == "IMPORT":
        raise ValidationError("A change set of type IMPORT is not available in the local cloud")
    with registry.lock:
        stack = _choose_stack(registry, parameters["StackName"], kind, name)
        if any(existing.name == name for existing in stack.change_sets.values()):
            raise AlreadyExistsError(f"ChangeSet {name} already exists")
        revision = make_revision(platform, stack, parameters)
        identity = f"arn:aws:cloudformation:{stack.region}:{stack.account}:changeSet/{name}/{uuid.uuid4()}"
        change_set = ChangeSet(identity, name, kind, revision, parameters.get("Description"))
        change_set.includes_nested = read_flag(parameters, "IncludeNestedStacks")
        if stack.id not in registry.by_id:
            registry.add(stack)
            stack.enter("REVIEW_IN_PROGRESS", "User Initiated")
        stack.change_sets[identity] = change_set
    platform.run(name, functools.partial(_compute, platform, stack, change_set))
    return {"Id": identity, "StackId": stack.id}


def _choose_stack(registry: Registry, name: str, kind: str, change_set: str) -> Stack:
    stack = registry.find(name)
    if kind == "CREATE":
        if stack is None:
            return new_stack(registry, name)
        if stack.status != "REVIEW_IN_PROGRESS":
            raise ValidationError(
                f"Stack [{name}] already exists and cannot be created again "
                f"with the changeSet [{change_set}]."
            )
        return stack
    stack = find_or_refuse(registry, name)
    check_updatable(stack)
    return stack


def _compute(platform: Platform, stack: Stack, change_set: ChangeSet) -> None:
    change_set.status = "CREATE_IN_PROGRESS"
    try:
        plan = make_plan(stack, change_set.revision, functools.partial(platform.import_value, stack))
        if change_set.includes_nested:
            plan_nested(platform, stack, change_set, plan)
    except (ValidationError, ResourceFailure) as error:
        change_set.status, change_set.reason = "FAILED", getattr(error, "message", str(error))
        return
    except Exception as error:
        change_set.status, change_set.reason = "FAILED", f"Internal failure: {type(error).__name__}: {error}"
        raise
    change_set.changes = plan.changes
    tags = stack.revision.tags if stack.revision else {}
    if plan.empty and change_set.revision.tags == tags:
        change_set.status, change_set.reason = "FAILED", NOTHING
    else:
        change_set.execution, change_set.status = "AVAILABLE", "CREATE_COMPLETE"


def describe_change_set(_: Platform, registry: Registry, parameters: dict[str, Any]) -> dict[str, Any]:
    """DescribeChangeSet; 100 changes a page."""
    stack, change_set = registry.get_change_set(parameters["ChangeSetName"], parameters.get("StackName"))
    changes, token = page(change_set.changes, parameters.get("NextToken"))
    revision = change_set.revision
    return _summarize(stack, change_set) | {
        "Parameters": [parameter.describe() for parameter in revision.parameters.values()],
        "NotificationARNs": revision.notification_arns,
        "Capabilities": revision.capabilities,
        "Tags": [{"Key": key, "Value": value} for key, value in revision.tags.items()],
        "Changes": changes,
        "NextToken": token,
    }


def _summarize(stack: Stack, change_set: ChangeSet) -> dict[str, Any]:
    return {
        "ChangeSetName": change_set.name,
        "ChangeSetId": change_set.id,
        "StackId": stack.id,
        "StackName": stack.name,
        "Description": change_set.description,
        "CreationTime": change_set.created,
        "ExecutionStatus": change_set.execution,
        "Status": change_set.status,
        "StatusReason": change_set.reason,
        "IncludeNestedStacks": change_set.includes_nested,
        "ParentChangeSetId": change_set.parent,
        "RootChangeSetId": change_set.root,
    }


def list_change_sets(_: Platform, registry: Registry, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListChangeSets of one stack."""
    stack = find_or_refuse(registry, parameters["StackName"])
    shown, token = page(list(stack.change_sets.values()), parameters.get("NextToken"))
    return {"Summaries": [_summarize(stack, change_set) for change_set in shown], "NextToken": token}


def delete_change_set(_: Platform, registry: Registry, parameters: dict[str, Any]) -> dict[str, Any]:
    """DeleteChangeSet; one that is being made or executed stays."""
    with registry.lock:
        stack, change_set = registry.get_change_set(parameters["ChangeSetName"], parameters.get("StackName"))
        state = change_set.execution if change_set.execution == "EXECUTE_IN_PROGRESS" else change_set.status
        if state.endswith(("_IN_PROGRESS", "_PENDING")):
            raise InvalidChangeSetStatusError(
                f"ChangeSet [{change_set.id}] cannot be deleted in status [{state}]"
            )
        del stack.change_sets[change_set.id]
    return {}


def execute_change_set(platform: Platform, registry: Registry, parameters: dict[str, Any]) -> dict[str, Any]:
    """ExecuteChangeSet; a repeated call with the same ClientRequestToken is the same call."""
    token = parameters.get("ClientRequestToken")
    with registry.lock:
        stack, change_set = registry.get_change_set(parameters["ChangeSetName"], parameters.get("StackName"))
        if token and stack.token == token and stack.change_set_id == change_set.id:
            return {}
        _check_executable(stack, change_set)
        if read_flag(parameters, "DisableRollback"):
            change_set.revision.on_failure = "DO_NOTHING"
        change_set.execution = "EXECUTE_IN_PROGRESS"
        for other in stack.change_sets.values():
            if other is not change_set and other.execution == "AVAILABLE":
                other.execution = "OBSOLETE"
        stack.token, stack.change_set_id = token, change_set.id
        verb = "CREATE" if change_set.kind == "CREATE" else "UPDATE"
        stack.enter(f"{verb}_IN_PROGRESS", "User Initiated")
    work = functools.partial(stack_operations.execute, platform, stack, change_set)
    platform.run(stack.name, work)
    return {}


def _check_executable(stack: Stack, change_set: ChangeSet) -> None:
    if change_set.status != "CREATE_COMPLETE":
        raise InvalidChangeSetStatusError(
            f"ChangeSet [{change_set.id}] cannot be executed in its current status of [{change_set.status}]"
        )
    if change_set.parent:
        raise ValidationError(f"ChangeSet [{change_set.id}] is nested: execute its root, {change_set.root}")
    if change_set.execution != "AVAILABLE":
        raise InvalidChangeSetStatusError(
            f"ChangeSet [{change_set.id}] "
            f"cannot be executed in its current execution status of [{change_set.execution}]"
        )
    check_updatable(stack, reviewing=change_set.kind == "CREATE")


ACTIONS: Final[dict[str, Callable[..., dict[str, Any]]]] = {
    action.__name__: action
    for action in (
        create_change_set,
        describe_change_set,
        list_change_sets,
        delete_change_set,
        execute_change_set,
    )
}
