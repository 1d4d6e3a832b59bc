"""A stack with the nested stacks that belong to it, read as one: resources, aliases, anchors, failures.

What lies in a child is named `<child>/<logical id>`. Which children belong to it the caller says, by their
paths with parents first: a template may nest stacks that are none of the service's own.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from tidegate.adapters.stacks import find_stack, read_template
from tidegate.adapters.threads import side_by_side
from tidegate.domain.nesting import qualify, split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mypy_boto3_cloudformation import CloudFormationClient

    from tidegate.adapters.stacks import StackState

STACK: Final = "AWS::CloudFormation::Stack"
FUNCTION, ALIAS = "AWS::Lambda::Function", "AWS::Lambda::Alias"


class Resource(NamedTuple):
    """A resource of one stack; its physical id is empty as long as there is none."""

    logical_id: str
    physical_id: str
    type: str


class StackResources(NamedTuple):
    """A stack by its name, or a nested one by its ARN, and what it has."""

    name: str
    resources: tuple[Resource, ...]

    @property
    def physical_ids(self) -> dict[str, str]:
        """Physical ids by logical id."""
        return {resource.logical_id: resource.physical_id for resource in self.resources}

    @property
    def nested(self) -> dict[str, str]:
        """The ARNs of the stacks nested in it, by logical id; what was another resource is none."""
        return {one.logical_id: one.physical_id for one in self.resources if one.type == STACK}


def read_tree(
    client: CloudFormationClient, name: str, children: Iterable[str] = ()
) -> dict[str, StackResources]:
    """The stack and its children by path; one that does not stand is left out."""
    found = {"": StackResources(name, tuple(_list_resources(client, name)))}
    for path in children:
        parent, logical_id = split(path)
        if arn := found[parent].nested.get(logical_id) if parent in found else None:
            found[path] = StackResources(arn, tuple(_list_resources(client, arn)))
    return found


class StandingStack(NamedTuple):
    """A stack as it is: its state, its template as CloudFormation has processed it, and what it has."""

    state: StackState
    template: str
    physical_ids: dict[str, str]


def read_standing(
    client: CloudFormationClient, name: str, children: Iterable[str] = ()
) -> dict[str, StandingStack]:
    """The stack and its children by path; one that does not stand, or never came up, is left out."""
    tree = read_tree(client, name, children)
    found = side_by_side(partial(_read_standing, client), tree.values())
    return {path: stack for path, stack in zip(tree, found, strict=True) if stack is not None}


def _read_standing(client: CloudFormationClient, stack: StackResources) -> StandingStack | None:
    state = find_stack(client, stack.name)
    if state is None or state.is_carcass:
        return None
    template = read_template(client, stack.name, processed=True)
    return StandingStack(state, template, stack.physical_ids)


def _list_resources(client: CloudFormationClient, name: str) -> Iterator[Resource]:
    for page in client.get_paginator("list_stack_resources").paginate(StackName=name):
        for item in page["StackResourceSummaries"]:
            physical = item.get("PhysicalResourceId", "")
            yield Resource(item["LogicalResourceId"], physical, item["ResourceType"])


def list_resources(client: CloudFormationClient, name: str, children: Iterable[str] = ()) -> dict[str, str]:
    """Physical ids by name, all pages."""
    tree = read_tree(client, name, children)
    return {
        qualify(path, resource.logical_id): resource.physical_id
        for path, stack in tree.items()
        for resource in stack.resources
    }


def list_aliases(
    client: CloudFormationClient, name: str, children: Iterable[str] = ()
) -> dict[str, tuple[str, str]]:
    """(function, alias) by the function's name, for the aliases of each stack's own functions."""
    return {
        qualify(path, logical_id): alias
        for path, stack in read_tree(client, name, children).items()
        for logical_id, alias in _list_aliases(stack)
    }


def _list_aliases(stack: StackResources) -> Iterator[tuple[str, tuple[str, str]]]:
    functions = {one.physical_id: one.logical_id for one in stack.resources if one.type == FUNCTION}
    for resource in stack.resources:
        if resource.type == ALIAS and resource.physical_id:
            *_, function, alias = resource.physical_id.split(":")
            if function in functions:
                yield functions[function], (function, alias)


def explain_failure(client: CloudFormationClient, stack: str) -> str:
    """The first resource that failed in the stack's last operation, and why; else the stack's own reason.

    Of a nested stack that failed, what failed in it.
    """
    return _explain(client, stack, "") or "no resource says why"


def _explain(client: CloudFormationClient, stack: str, path: str) -> str:
    first = own = nested = ""
    for page in client.get_paginator("describe_stack_events").paginate(StackName=stack):
        for event in page["StackEvents"]:
            status, reason = event.get("ResourceStatus", ""), event.get("ResourceStatusReason", "")
            logical_id, physical = event["LogicalResourceId"], event.get("PhysicalResourceId", "")
            itself = physical == event["StackId"]
            if status.endswith("_FAILED") and "cancelled" not in reason:
                first = f"{qualify(path, logical_id)} ({event['ResourceType']}): {reason}"
                nested = physical if event["ResourceType"] == STACK and not itself else ""
                inner = qualify(path, logical_id)
            if itself and status.endswith("ROLLBACK_IN_PROGRESS"):
                own = reason  # an output, say, or an export that another stack has
            if itself and status in {"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"}:
                return (_explain(client, nested, inner) if nested else "") or first or own
    return first or own
