"""The operations on a stack as transactions: which statuses it goes through, and what happens on a failure.

Each runs from its first to its last status in the caller's thread; the API's actions start them in the
background. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from tidegate.local.stack_engine import Deployment, Stopped
from tidegate.local.stack_errors import ResourceFailure, ValidationError
from tidegate.local.stack_records import now

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.local.stack_records import ChangeSet, Revision, Stack
    from tidegate.local.stack_registry import Platform

LOG: Final = logging.getLogger(__name__)
NOT_DELETED: Final = "The following resource(s) failed to delete: [{}]. "


def create(platform: Platform, stack: Stack, revision: Revision) -> None:
    """CREATE_IN_PROGRESS (entered by the caller) to CREATE_COMPLETE, or back."""
    stack.revision = revision

    def fail(deployment: Deployment, reason: str) -> None:
        if revision.on_failure == "DO_NOTHING":
            stack.enter("CREATE_FAILED", reason)
        elif revision.on_failure == "DELETE":
            delete(platform, stack, reason=f"{reason} Delete requested by user.")
        else:
            stack.enter("ROLLBACK_IN_PROGRESS", f"{reason} Rollback requested by user.")
            gone = deployment.clean_up_rollback(creating=True)
            stack.enter("ROLLBACK_COMPLETE" if gone else "ROLLBACK_FAILED")

    if _attempt(platform, stack, revision, fail):
        stack.enter("CREATE_COMPLETE")


def update(platform: Platform, stack: Stack, revision: Revision) -> None:
    """UPDATE_IN_PROGRESS (entered by the caller) to UPDATE_COMPLETE, or back to the previous template."""
    stack.updated = now()
    outputs, imports = stack.outputs, stack.imports

    def fail(deployment: Deployment, reason: str) -> None:
        stack.outputs, stack.imports = outputs, imports
        if revision.on_failure == "DO_NOTHING":
            stack.revision = revision
            stack.enter("UPDATE_FAILED", reason)
            return
        stack.enter("UPDATE_ROLLBACK_IN_PROGRESS", reason)
        roll_back(stack, deployment)

    deployment = _attempt(platform, stack, revision, fail)
    if deployment:
        stack.enter("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        deployment.clean_up()
        stack.revision = revision
        stack.enter("UPDATE_COMPLETE")


def roll_back(stack: Stack, deployment: Deployment, skipped: list[str] | None = None) -> None:
    """UPDATE_ROLLBACK_IN_PROGRESS (entered by the caller) to UPDATE_ROLLBACK_COMPLETE or _FAILED."""
    deployment.failed.clear()
    try:
        deployment.roll_back(skipped or ())
    except ResourceFailure:
        stack.unfinished = deployment
        stack.enter("UPDATE_ROLLBACK_FAILED", _tell_failed(deployment))
        return
    stack.enter("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
    deployment.clean_up_rollback()
    stack.unfinished = None
    stack.enter("UPDATE_ROLLBACK_COMPLETE")


def delete(
    platform: Platform, stack: Stack, retained: list[str] | None = None, reason: str | None = None
) -> None:
    """DELETE_IN_PROGRESS to DELETE_COMPLETE or DELETE_FAILED; dependents go first."""
    stack.enter("DELETE_IN_PROGRESS", reason)
    if in_use := _find_importer(platform, stack):
        stack.enter("DELETE_FAILED", in_use)
        return
    failed = _delete_resources(platform, stack, retained or []) if stack.revision else []
    if failed:
        stack.enter("DELETE_FAILED", NOT_DELETED.format(", ".join(failed)))
        return
    stack.deleted = now()
    stack.imports = set()
    stack.enter("DELETE_COMPLETE")


def _delete_resources(platform: Platform, stack: Stack, retained: list[str]) -> list[str]:
    assert stack.revision is not None  # noqa: S101 - seen by the caller
    deployment = Deployment(stack, stack.revision, platform)
    order = stack.revision.template.order(
        name for name in stack.resources if name in stack.revision.template.resources
    )
    strangers = [name for name in stack.resources if name not in set(order)]
    failed = []
    for name in [*strangers, *reversed(order)]:
        resource = stack.resources[name]
        if resource.status == "DELETE_COMPLETE":
            continue
        keep = resource.deletion_policy in {"Retain", "RetainExceptOnCreate"} or name in retained
        if not deployment.discard(resource, keep=keep):
            failed.append(name)
    return failed


def _find_importer(platform: Platform, stack: Stack) -> str:
    for output in stack.outputs:
        name = output.get("ExportName")
        users = [s.name for s in platform.list_importers(stack, name) if s is not stack] if name else []
        if users:
            return f"Export {name} cannot be deleted as it is in use by {', '.join(users)}"
    return ""


def _attempt(
    platform: Platform, stack: Stack, revision: Revision, fail: Callable[[Deployment, str], None]
) -> Deployment | None:
    try:
        deployment = Deployment(stack, revision, platform)
    except ValidationError as error:
        _close_unstarted(stack, error.message)
        return None
    stack.unfinished = deployment
    try:
        deployment.apply()
    except Stopped:
        LOG.info("stack %s is left in %s: the cloud stops", stack.name, stack.status)
        return None
    except (ResourceFailure, ValidationError) as failure:
        reason = getattr(failure, "message", str(failure))
        fail(deployment, f"{_tell_failed(deployment)}{reason}")
        return None
    stack.unfinished = None
    return deployment


def _close_unstarted(stack: Stack, reason: str) -> None:
    updating = stack.status.startswith("UPDATE")
    verb = "UPDATE_ROLLBACK" if updating else "ROLLBACK"
    stack.enter(f"{verb}_IN_PROGRESS", reason)
    stack.enter(f"{verb}_COMPLETE")


def _tell_failed(deployment: Deployment) -> str:
    if not deployment.failed:
        return ""
    verb = "update" if "UPDATE_FAILED" in deployment.failed.values() else "create"
    return f"The following resource(s) failed to {verb}: [{', '.join(deployment.failed)}]. "


def execute(platform: Platform, stack: Stack, change_set: ChangeSet) -> None:
    """Carry out a change set whose execution has begun."""
    creating = change_set.kind == "CREATE"
    (create if creating else update)(platform, stack, change_set.revision)
    done = stack.status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
    change_set.execution = "EXECUTE_COMPLETE" if done else "EXECUTE_FAILED"
