"""The API's actions that only read: stacks, resources, events, templates, exports."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tidegate.local.stack_errors import ValidationError
from tidegate.local.stack_requests import page, read_text
from tidegate.local.stack_templates import Template, parse_template

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.local.stack_records import Deployed, Stack
    from tidegate.local.stack_registry import Platform, Registry

SUMMARY: Final = (
    "StackId",
    "StackName",
    "CreationTime",
    "LastUpdatedTime",
    "DeletionTime",
    "StackStatus",
    "StackStatusReason",
    "ParentId",
    "DriftInformation",
)
UNCHECKED: Final = {"StackDriftStatus": "NOT_CHECKED"}
UNCHECKED_RESOURCE: Final = {"StackResourceDriftStatus": "NOT_CHECKED"}


def describe_stacks(_: Platform, registry: Registry, parameters: dict[str, Any]) -> dict[str, Any]:
    """DescribeStacks: one, or all that are not deleted."""
    name = parameters.get("StackName")
    if name:
        return {"Stacks": [_describe_stack(registry.get(name))]}
    living = [stack for stack in registry.stacks() if stack.status != "DELETE_COMPLETE"]
    shown, token = page(living, parameters.get("NextToken"))
    return {"Stacks": [_describe_stack(stack) for stack in shown], "NextToken": token}


def _describe_stack(stack: Stack) -> dict[str, Any]:
    revision = stack.revision
    described = {
        "StackId": stack.id,
        "StackName": stack.name,
        "ChangeSetId": stack.change_set_id,
        "CreationTime": stack.created,
        "LastUpdatedTime": stack.updated,
        "DeletionTime": stack.deleted,
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason,
        "EnableTerminationProtection": stack.protected,
        "ParentId": stack.parent,
        "RollbackConfiguration": {},
        "DriftInformation": UNCHECKED,
        "Outputs": stack.outputs,
    }
    if revision is None:
        return described
    return described | {
        "Description": revision.template.body.get("Description"),
        "Parameters": [parameter.describe() for parameter in revision.parameters.values()],
        "DisableRollback": revision.on_failure == "DO_NOTHING",
        "NotificationARNs": revision.notification_arns,
        "Capabilities": revision.capabilities,
        "RoleARN": revision.role_arn,
        "Tags": [{"Key": key, "Value": value} for key, value in revision.tags.items()],
    }


def list_stacks(_: Platform, registry: Registry, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListStacks, deleted ones too, newest first."""
    wanted = set(parameters.get("StackStatusFilter") or [])
    found = [stack for stack in reversed(registry.stacks()) if not wanted or stack.status in wanted]
    shown, token = page(found, parameters.get("NextToken"))
    described = [_describe_stack(stack) for stack in shown]
    summaries = [
        {key: one[key] for key in SUMMARY} | {"TemplateDescription": one.get("Description")}
        for one in described
    ]
    return {"StackSummaries": summaries, "NextToken": token}


def describe_stack_events(_: Platform, registry: Registry, parameters: dict[str, Any]) -> dict[str, Any]:
    """DescribeStackEvents, newest first, 100 a page."""
    stack = _get(registry, parameters["StackName"])
    events, token = page(stack.events[::-1], parameters.get("NextToken"))
    return {"StackEvents": events, "NextToken": token}


def describe_stack_resources(_: Platform, registry: Registry, parameters: dict[str, Any]) -> dict[str, Any]:
    """DescribeStackResources, by stack, logical id or physical id; at most 100."""
    physical, logical = parameters.get("PhysicalResourceId"), parameters.get("LogicalResourceId")
    stack = _find_owner(registry, physical) if physical else _get(registry, parameters["StackName"])
    chosen = [
        r
        for r in list(stack.resources.values())
        if logical in {None, r.logical_id} and physical in {None, r.physical_id}
    ]
    return {"StackResources": [_describe_resource(stack, resource) for resource in chosen[:100]]}


def _find_owner(registry: Registry, physical: str) -> Stack:
    for stack in registry.stacks():
        if any(resource.physical_id == physical for resource in list(stack.resources.values())):
            return stack
    raise ValidationError(f"Stack for {physical} does not exist")


def _get(registry: Registry, name: str) -> Stack:
    stack = registry.find(name)
    if stack is None:
        raise ValidationError(f"Stack [{name}] does not exist")
    return stack


def _describe_resource(stack: Stack, resource: Deployed) -> dict[str, Any]:
    return {
        "StackName": stack.name,
        "StackId": stack.id,
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.physical_id or None,
        "ResourceType": resource.type,
        "Timestamp": resource.changed,
        "ResourceStatus": resource.status,
        "ResourceStatusReason": resource.reason or None,
        "DriftInformation": UNCHECKED_RESOURCE,
    }


def describe_stack_resource(_: Platform, registry: Registry, parameters: dict[str, Any]) -> dict[str, Any]:
    """DescribeStackResource, with its metadata."""
    stack = _get(registry, parameters["StackName"])
    resource = stack.resources.get(parameters["LogicalResourceId"])
    if resource is None:
        raise ValidationError(
            f"Resource {parameters['LogicalResourceId']} does not exist for stack {stack.name}"
        )
    described = _describe_resource(stack, resource)
    described["LastUpdatedTimestamp"] = described.pop("Timestamp")
    metadata = json.dumps(resource.metadata, default=str) if resource.metadata else None
    return {"StackResourceDetail": described | {"Metadata": metadata}}


def list_stack_resources(_: Platform, registry: Registry, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListStackResources, 100 a page."""
    stack = _get(registry, parameters["StackName"])
    shown, token = page(list(stack.resources.values()), parameters.get("NextToken"))
    summaries = []
    for resource in shown:
        described = _describe_resource(stack, resource)
        described["LastUpdatedTimestamp"] = described.pop("Timestamp")
        summaries.append({k: v for k, v in described.items() if k not in {"StackName", "StackId"}})
    return {"StackResourceSummaries": summaries, "NextToken": token}


def get_template(_: Platform, registry: Registry, parameters: dict[str, Any]) -> dict[str, Any]:
    """GetTemplate: the text as it was given, of a stack or of a change set."""
    if parameters.get("ChangeSetName"):
        stack, change_set = registry.get_change_set(parameters["ChangeSetName"], parameters.get("StackName"))
        template = change_set.revision.template
    else:
        stack = registry.get(parameters["StackName"])
        if stack.revision is None:
            raise ValidationError("GetTemplate cannot be called on REVIEW_IN_PROGRESS stacks.")
        template = stack.revision.template
    return {"TemplateBody": template.text, "StagesAvailable": ["Original", "Processed"]}


def get_template_summary(
    platform: Platform, registry: Registry, parameters: dict[str, Any]
) -> dict[str, Any]:
    """GetTemplateSummary of a stack or of a text."""
    template = _choose_template(platform, registry, parameters)
    declared = [
        {
            "ParameterKey": key,
            "DefaultValue": None if "Default" not in rule else str(rule["Default"]),
            "ParameterType": rule.get("Type", "String"),
            "NoEcho": str(rule.get("NoEcho", False)).lower() == "true",
            "Description": rule.get("Description"),
            "ParameterConstraints": {"AllowedValues": [str(v) for v in rule.get("AllowedValues", [])]},
        }
        for key, rule in template.section("Parameters").items()
    ]
    return {
        "Parameters": declared,
        "Description": template.body.get("Description"),
        "Capabilities": template.capabilities,
        "ResourceTypes": [resource["Type"] for resource in template.resources.values()],
        "Version": template.body.get("AWSTemplateFormatVersion"),
        "Metadata": json.dumps(template.section("Metadata"), default=str) or None,
    }


def _choose_template(platform: Platform, registry: Registry, parameters: dict[str, Any]) -> Template:
    if not parameters.get("StackName"):
        return parse_template(read_text(platform, registry.account, registry.region, parameters))
    stack = registry.get(parameters["StackName"])
    if stack.revision is None:
        raise ValidationError("GetTemplateSummary cannot be called on REVIEW_IN_PROGRESS stacks.")
    return stack.revision.template


def validate_template(platform: Platform, registry: Registry, parameters: dict[str, Any]) -> dict[str, Any]:
    """ValidateTemplate."""
    summary = get_template_summary(platform, registry, parameters)
    keys = ("ParameterKey", "DefaultValue", "NoEcho", "Description")
    declared = [{key: rule[key] for key in keys} for rule in summary["Parameters"]]
    return {
        "Parameters": declared,
        "Description": summary["Description"],
        "Capabilities": summary["Capabilities"],
    }


def list_exports(_: Platform, registry: Registry, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListExports."""
    exports = [
        {"ExportingStackId": stack.id, "Name": name, "Value": value}
        for stack, name, value in registry.exports()
    ]
    shown, token = page(exports, parameters.get("NextToken"))
    return {"Exports": shown, "NextToken": token}


def list_imports(platform: Platform, registry: Registry, parameters: dict[str, Any]) -> dict[str, Any]:
    """ListImports of an export."""
    name = parameters["ExportName"]
    exporters = [stack for stack, export, _ in registry.exports() if export == name]
    users = [stack.name for exporter in exporters for stack in platform.list_importers(exporter, name)]
    if not users:
        raise ValidationError(f"Export '{name}' is not imported by any stack.")
    return {"Imports": users}


def get_stack_policy(_: Platform, registry: Registry, parameters: dict[str, Any]) -> dict[str, Any]:
    """GetStackPolicy: no stack here has one."""
    _get(registry, parameters["StackName"])
    return {}


ACTIONS: Final[dict[str, Callable[..., dict[str, Any]]]] = {
    action.__name__: action
    for action in (
        describe_stacks,
        list_stacks,
        describe_stack_events,
        describe_stack_resources,
        describe_stack_resource,
        list_stack_resources,
        get_template,
        get_template_summary,
        validate_template,
        list_exports,
        list_imports,
        get_stack_policy,
    )
}
