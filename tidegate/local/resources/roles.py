"""AWS::IAM::Role."""

from __future__ import annotations

from typing import Any, Final

from tidegate.local.resources.kinds import Kind, Naming, Request


class Role(Kind):
    """A role; Ref is its name."""

    type = "AWS::IAM::Role"
    create_only = frozenset({"RoleName", "Path"})
    naming = Naming("RoleName", 64)
    tagging = "list"

    def create(self, request: Request) -> None:
        """CreateRole, its own policies and those attached to it."""
        own = request.rest("RoleName", "Policies", "ManagedPolicyArns", "Tags")
        tags = {"Tags": request.tag_list()} if request.tags else {}
        role = request.call("iam", "create_role", RoleName=request.name, **own, **tags)["Role"]
        request.settle(request.name, Arn=role["Arn"], RoleId=role["RoleId"])
        self._settle_policies(request)

    def update(self, request: Request) -> None:
        """Each of its parts that changed."""
        name, changed = request.physical_id, request.changed
        if "AssumeRolePolicyDocument" in changed:
            document = request.properties["AssumeRolePolicyDocument"]
            request.call("iam", "update_assume_role_policy", RoleName=name, PolicyDocument=document)
        if changed & {"Description", "MaxSessionDuration"}:
            description = request.properties.get("Description", "")
            duration = request.properties.get("MaxSessionDuration", 3600)
            request.call(
                "iam", "update_role", RoleName=name, Description=description, MaxSessionDuration=duration
            )
        if "PermissionsBoundary" in changed:
            self._settle_boundary(request)
        self._settle_policies(request)
        if "Tags" in changed:
            if request.lost_tags:
                request.call("iam", "untag_role", RoleName=name, TagKeys=request.lost_tags)
            if request.tags:
                request.call("iam", "tag_role", RoleName=name, Tags=request.tag_list())

    def delete(self, request: Request) -> None:
        """DeleteRole, after what the template put into it."""
        name = request.physical_id
        for arn in request.properties.get("ManagedPolicyArns") or []:
            request.discard("iam", "detach_role_policy", RoleName=name, PolicyArn=arn)
        for policy in request.properties.get("Policies") or []:
            request.discard("iam", "delete_role_policy", RoleName=name, PolicyName=policy["PolicyName"])
        request.discard("iam", "delete_role", RoleName=name)

    @staticmethod
    def _settle_boundary(request: Request) -> None:
        boundary = request.properties.get("PermissionsBoundary")
        if boundary:
            names = {"RoleName": request.physical_id, "PermissionsBoundary": boundary}
            request.call("iam", "put_role_permissions_boundary", **names)
        else:
            request.call("iam", "delete_role_permissions_boundary", RoleName=request.physical_id)

    @staticmethod
    def _settle_policies(request: Request) -> None:
        name = request.physical_id
        new, old = _read_policies(request.properties), _read_policies(request.previous)
        for policy in set(old) - set(new):
            request.discard("iam", "delete_role_policy", RoleName=name, PolicyName=policy)
        for policy, document in new.items():
            if old.get(policy) != document:
                request.call(
                    "iam", "put_role_policy", RoleName=name, PolicyName=policy, PolicyDocument=document
                )
        attached = request.properties.get("ManagedPolicyArns") or []
        before = request.previous.get("ManagedPolicyArns") or []
        for arn in set(before) - set(attached):
            request.discard("iam", "detach_role_policy", RoleName=name, PolicyArn=arn)
        for arn in dict.fromkeys(attached):
            if arn not in before:
                request.call("iam", "attach_role_policy", RoleName=name, PolicyArn=arn)


def _read_policies(properties: dict[str, Any]) -> dict[str, Any]:
    return {policy["PolicyName"]: policy["PolicyDocument"] for policy in properties.get("Policies") or []}


KINDS: Final = (Role,)
