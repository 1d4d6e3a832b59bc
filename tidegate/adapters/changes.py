"""A change set driven to its end, one look at a time: the state machine waits between two looks.

Used for the planned change of a stage, for the updates of an adoption and for an undoing. Every look reads
the stack's own state, so that a run which died at any point is gone on with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tidegate.adapters.stack_trees import explain_failure
from tidegate.adapters.stacks import create_change_set, execute, find_change_set, find_stack
from tidegate.domain.errors import ChangeSetFailed, StackNeedsOperator
from tidegate.domain.identity import Frozen
from tidegate.domain.undo import ChangeMark

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_cloudformation import CloudFormationClient

    from tidegate.adapters.documents import Documents
    from tidegate.adapters.stacks import StackState


# What ends the states that only a person can end; AWS CloudFormation User Guide, "Continue rolling back".
REMEDIES: Final = {
    "UPDATE_ROLLBACK_FAILED": "mend what it names, run `aws cloudformation continue-update-rollback "
    "--stack-name {stack}`, and release again",
    "DELETE_FAILED": "mend what it names, run `aws cloudformation delete-stack --stack-name {stack}`, and "
    "release again",
}


class Change(Frozen):
    """A change set of a stack that exists. `purpose` is what a message calls it; `mark` is a key.

    nested: whether the changes of nested stacks are told too; they are made in any case.
    """

    stack: str
    name: str
    purpose: str
    template_url: str
    parameters: dict[str, str]
    capabilities: tuple[str, ...]
    role: str
    mark: str
    nested: bool = False


def drive(
    client: CloudFormationClient, documents: Documents, change: Change, bring: Callable[[], None]
) -> bool:
    """Ask for the change set, then drive it to its end, one look at a time; True once the stack is so.

    The mark says that it is being executed: from then on a missing change set is one that has ended, and a
    stack that was rolled back is one whose change failed. Raises as `advance` does. `bring` sees to what
    CloudFormation is about to read.
    """
    begun = documents.find(change.mark, ChangeMark)
    if begun is not None:
        return advance(client, change.stack, begun.change_set)
    state = check_operable(client, change.stack)
    if state is not None and state.is_busy:
        return False
    found = find_change_set(client, change.stack, change.name)
    if found is None:
        bring()
        create_change_set(
            client,
            change.stack,
            change.name,
            template_url=change.template_url,
            parameters=change.parameters,
            capabilities=change.capabilities,
            role=change.role,
            exists=True,
            nested=change.nested,
        )
        return False
    if found.is_pending:
        return False
    if found.is_empty:
        return True
    if found.status == "FAILED":
        message = f"CloudFormation cannot compute {change.purpose} of {change.stack}: {found.reason}"
        raise ChangeSetFailed(message)
    documents.write(change.mark, ChangeMark(change_set=change.name))
    return advance(client, change.stack, change.name)


def advance(client: CloudFormationClient, stack: str, change_set: str) -> bool:
    """Execute the change set, or look how its execution stands; True once the stack is as asked.

    Raises ChangeSetFailed where CloudFormation rolled it back or somebody else changed the stack first, and
    StackNeedsOperator where a person must end it.
    """
    state = check_operable(client, stack)
    if state is None:
        message = f"stack {stack} is gone; somebody else deleted it"
        raise ChangeSetFailed(message)
    if state.is_busy:
        return False
    found = find_change_set(client, stack, change_set)
    if found is not None and found.execution == "AVAILABLE":
        execute(client, stack, change_set)
        return False
    if found is not None and found.execution == "EXECUTE_IN_PROGRESS":
        return False  # its stack was read a moment before
    if found is not None and found.execution == "OBSOLETE":
        message = f"stack {stack} was changed by somebody else after the plan; retry the release"
        raise ChangeSetFailed(message)
    if state.is_healthy:
        return True
    message = f"stack {stack} is {state.status}: {explain_failure(client, stack)}"
    raise ChangeSetFailed(message)


def check_operable(client: CloudFormationClient, stack: str) -> StackState | None:
    """The stack as it is, or None; StackNeedsOperator where only a person can go on."""
    state = find_stack(client, stack)
    if state is not None and state.needs_operator:
        reason = state.reason or explain_failure(client, stack)
        remedy = REMEDIES[state.status].format(stack=stack)
        raise StackNeedsOperator(f"stack {stack} is {state.status}: {reason}; {remedy}")
    return state
