"""AWS::CloudFormation::Stack: a stack within a stack, carried through in the parent's own thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tidegate.local.resources.kinds import Kind, Naming, Request, generate_name
from tidegate.local.stack_errors import ResourceFailure, ValidationError
from tidegate.local.stack_intrinsics import Unknown, find_unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidegate.local.stack_records import Revision, Stack

CAPABILITIES: Final = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]


class NestedStack(Kind):
    """A nested stack; Ref is its ARN, and GetAtt `Outputs.Name` reads its outputs."""

    type = "AWS::CloudFormation::Stack"
    tagging = "list"

    def create(self, request: Request) -> None:
        """Create it, to the end."""
        from tidegate.local import stack_control, stack_operations
        from tidegate.local.stack_registry import get_registry

        registry = get_registry(request.account, request.region)
        name = generate_name(request.stack_name, request.logical_id, Naming("", 128))
        stack = stack_control.new_stack(registry, name)
        stack.parent = request.stack_id
        revision = _read(request, stack)
        registry.add(stack)
        request.settle(stack.id)
        stack.enter("CREATE_IN_PROGRESS")
        stack_operations.create(request.platform, stack, revision)
        _take(request, stack, "CREATE_COMPLETE")

    def update(self, request: Request) -> None:
        """Update it, to the end; on a failure it has gone back by itself."""
        from tidegate.local import stack_operations

        stack = _find(request)
        revision = _read(request, stack)
        stack.enter("UPDATE_IN_PROGRESS")
        stack_operations.update(request.platform, stack, revision)
        _take(request, stack, "UPDATE_COMPLETE")

    def delete(self, request: Request) -> None:
        """Delete it, to the end."""
        from tidegate.local import stack_operations

        stack = _find(request)
        stack_operations.delete(request.platform, stack)
        if stack.status != "DELETE_COMPLETE":
            raise ResourceFailure(f"Embedded stack {stack.id} was not successfully deleted: {stack.reason}")


def _find(request: Request) -> Stack:
    from tidegate.local.stack_registry import get_registry

    return get_registry(request.account, request.region).by_id[request.physical_id]


def _read(request: Request, stack: Stack) -> Revision:
    from tidegate.local.stack_requests import make_revision

    parameters = {**describe_call(request.properties), "Tags": request.tag_list()}
    try:
        return make_revision(request.platform, stack, parameters)
    except ValidationError as error:
        raise ResourceFailure(error.message) from error


def describe_call(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of a nested stack as the call that makes or plans it; tags are the caller's."""
    given = properties.get("Parameters") or {}
    return {
        "TemplateURL": properties["TemplateURL"],
        "Parameters": [{"ParameterKey": k, "ParameterValue": _write(v)} for k, v in given.items()],
        "Capabilities": CAPABILITIES,
    }


def _write(value: Any) -> str | Unknown:  # noqa: ANN401
    if causes := find_unknown(value):
        return Unknown(causes)
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _take(request: Request, stack: Stack, expected: str) -> None:
    if stack.status != expected:
        raise ResourceFailure(
            f"Embedded stack {stack.id} was not successfully made: {stack.reason or stack.status}"
        )
    request.attributes = {}
    outputs = {f"Outputs.{output['OutputKey']}": output["OutputValue"] for output in stack.outputs}
    request.settle(stack.id, **outputs)


KINDS: Final = (NestedStack,)
