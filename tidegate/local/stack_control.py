"""The API's actions that begin an operation on a stack."""

from __future__ import annotations

import functools
import uuid
from typing import TYPE_CHECKING, Any, Final

from tidegate.local import stack_operations
from tidegate.local.stack_errors import AlreadyExistsError, ValidationError
from tidegate.local.stack_plans import make_plan
from tidegate.local.stack_records import Stack
from tidegate.local.stack_requests import find_or_refuse, make_revision, read_flag

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.local.stack_registry import Platform, Registry

# A stack that was never made whole can only be deleted.
DEAD: Final = frozenset(
    {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED", "UPDATE_ROLLBACK_FAILED"}
)
NO_UPDATES: Final = "No updates are to be performed."


def new_stack(registry: Registry, name: str) -> Stack:
    """Make the record of a stack; the caller adds it to the registry."""
    identity = f"arn:aws:cloudformation:{registry.region}:{registry.account}:stack/{name}/{uuid.uuid4()}"
    return Stack(name, identity, registry.account, registry.region)


def check_updatable(stack: Stack, *, reviewing: bool = False) -> None:
    """Refuse an update in a status that does not allow one."""
    in_review = stack.status == "REVIEW_IN_PROGRESS"
    if stack.busy or stack.status in DEAD or (in_review and not reviewing):
        raise ValidationError(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")


def create_stack(platform: Platform, registry: Registry, parameters: dict[str, Any]) -> dict[str, Any]:
    """CreateStack."""
    name = parameters["StackName"]
    with registry.lock:
        if registry.find(name) is not None:
            raise AlreadyExistsError(f"Stack [{name}] already exists")
        stack = new_stack(registry, name)
        revision = make_revision(platform, stack, parameters)
        stack.protected = read_flag(parameters, "EnableTerminationProtection")
        stack.token = parameters.get("ClientRequestToken")
        registry.add(stack)
        stack.enter("CREATE_IN_PROGRESS", "User Initiated")
    platform.run(name, functools.partial(stack_operations.create, platform, stack, revision))
    return {"StackId": stack.id}


def update_stack(platform: Platform, registry: Registry, parameters: dict[str, Any]) -> dict[str, Any]:
    """UpdateStack; refused where nothing would change."""
    with registry.lock:
        stack = find_or_refuse(registry, parameters["StackName"])
        check_updatable(stack)
        revision = make_revision(platform, stack, parameters)
        plan = make_plan(stack, revision, functools.partial(platform.import_value, stack))
        if plan.empty and stack.revision and revision.tags == stack.revision.tags:
            raise ValidationError(NO_UPDATES)
        stack.token = parameters.get("ClientRequestToken")
        stack.enter("UPDATE_IN_PROGRESS", "User Initiated")
    platform.run(stack.name, functools.partial(stack_operations.update, platform, stack, revision))
    return {"StackId": stack.id}


def delete_stack(platform: Platform, registry: Registry, parameters: dict[str, Any]) -> dict[str, Any]:
    """DeleteStack; a stack that does not exist is deleted already."""
    with registry.lock:
        stack = registry.find(parameters["StackName"])
        if stack is None or stack.status in {"DELETE_COMPLETE", "DELETE_IN_PROGRESS"}:
            return {}
        if stack.protected:
            raise ValidationError(
                f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
            )
        if stack.busy:
            raise ValidationError(f"Stack [{stack.name}] cannot be deleted while in status {stack.status}")
        retained = list(parameters.get("RetainResources") or [])
        if retained and stack.status != "DELETE_FAILED":
            raise ValidationError(
                f"Invalid operation on stack [{stack.id}]. The following resources can only be "
                f"retained when the stack is in DELETE_FAILED status: {retained}"
            )
        if parameters.get("RoleARN") and stack.revision:
            stack.revision.role_arn = parameters["RoleARN"]
        stack.token = parameters.get("ClientRequestToken")
        stack.status = "DELETE_IN_PROGRESS"
    work = functools.partial(stack_operations.delete, platform, stack, retained, "User Initiated")
    platform.run(stack.name, work)
    return {}


def cancel_update_stack(_: Platform, registry: Registry, parameters: dict[str, Any]) -> dict[str, Any]:
    """CancelUpdateStack: the update fails at its next resource and is rolled back."""
    with registry.lock:
        stack = find_or_refuse(registry, parameters["StackName"])
        if stack.status != "UPDATE_IN_PROGRESS":
            raise ValidationError("CancelUpdateStack cannot be called from current stack status")
        if stack.unfinished is not None:
            stack.unfinished.cancelled = True
    return {}


def continue_update_rollback(
    platform: Platform, registry: Registry, parameters: dict[str, Any]
) -> dict[str, Any]:
    """ContinueUpdateRollback of a stack in UPDATE_ROLLBACK_FAILED."""
    with registry.lock:
        stack = find_or_refuse(registry, parameters["StackName"])
        if stack.status != "UPDATE_ROLLBACK_FAILED":
            raise ValidationError(
                f"Stack:{stack.id} is in {stack.status} state and can not continue rollback."
            )
        stack.enter("UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
        skipped = list(parameters.get("ResourcesToSkip") or [])
    platform.run(stack.name, lambda: stack_operations.roll_back(stack, stack.unfinished, skipped))
    return {}


def update_termination_protection(
    _: Platform, registry: Registry, parameters: dict[str, Any]
) -> dict[str, Any]:
    """UpdateTerminationProtection."""
    stack = find_or_refuse(registry, parameters["StackName"])
    stack.protected = read_flag(parameters, "EnableTerminationProtection")
    return {"StackId": stack.id}


ACTIONS: Final[dict[str, Callable[..., dict[str, Any]]]] = {
    action.__name__: action
    for action in (
        create_stack,
        update_stack,
        delete_stack,
        cancel_update_stack,
        continue_update_rollback,
        update_termination_protection,
    )
}
