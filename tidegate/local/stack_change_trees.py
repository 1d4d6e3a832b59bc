"""Change sets of nested stacks: made with that of their parent, described by their own ARN.

Only the root's can be executed. Where AWS makes a nested stack in REVIEW_IN_PROGRESS for a change set that
adds it, here nothing is made before the execution.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/change-sets-for-nested-stacks.html
"""

from __future__ import annotations

import functools
import uuid
from typing import TYPE_CHECKING, Any, Final

from tidegate.local.resources.kinds import Naming, generate_name
from tidegate.local.resources.nested import describe_call
from tidegate.local.stack_control import new_stack
from tidegate.local.stack_errors import ResourceFailure, ValidationError
from tidegate.local.stack_plans import make_plan
from tidegate.local.stack_records import STACK_TYPE, ChangeSet
from tidegate.local.stack_registry import get_registry
from tidegate.local.stack_requests import make_revision

if TYPE_CHECKING:
    from tidegate.local.stack_plans import Plan, Wanted
    from tidegate.local.stack_records import Stack
    from tidegate.local.stack_registry import Platform

LONGEST: Final = 128


def plan_nested(platform: Platform, stack: Stack, change_set: ChangeSet, plan: Plan) -> None:
    """Plan the nested stacks that a plan adds or changes, into the change set and the plan's changes.

    A ValidationError names the nested change set that could not be made, as AWS does; the reason stands in
    that one.
    """
    for change in (item["ResourceChange"] for item in plan.changes):
        if change["ResourceType"] == STACK_TYPE and change["Action"] != "Remove":
            child, nested = _open(stack, change_set, change)
            change_set.nested.append((child, nested))
            _compute(platform, child, nested, plan.wanted[change["LogicalResourceId"]])
            if nested.changes:
                change["ChangeSetId"] = nested.id


def _open(stack: Stack, parent: ChangeSet, change: dict[str, Any]) -> tuple[Stack, ChangeSet]:
    registry = get_registry(stack.account, stack.region)
    child = registry.by_id.get(change.get("PhysicalResourceId") or "")
    if child is None:
        name = generate_name(stack.name, change["LogicalResourceId"], Naming("", LONGEST))
        child = new_stack(registry, name)
        child.parent = stack.id
    identity = f"arn:aws:cloudformation:{child.region}:{child.account}:changeSet/{parent.name}/{uuid.uuid4()}"
    kind = "UPDATE" if child.revision else "CREATE"
    nested = ChangeSet(identity, parent.name, kind, parent.revision, None)
    nested.includes_nested, nested.parent, nested.root = True, parent.id, parent.root or parent.id
    return child, nested


def _compute(platform: Platform, child: Stack, nested: ChangeSet, wanted: Wanted) -> None:
    try:
        call = {**describe_call(wanted.properties), "Tags": wanted.properties.get("Tags") or []}
        nested.revision = make_revision(platform, child, call)
        plan = make_plan(child, nested.revision, functools.partial(platform.import_value, child))
        plan_nested(platform, child, nested, plan)
    except (ValidationError, ResourceFailure) as error:
        nested.status, nested.reason = "FAILED", getattr(error, "message", str(error))
        message = f"Nested change set {nested.id} was not successfully created: Currently in FAILED."
        raise ValidationError(message) from error
    nested.status, nested.execution, nested.changes = "CREATE_COMPLETE", "UNAVAILABLE", plan.changes
