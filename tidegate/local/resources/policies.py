"""AWS::IAM::Policy, RolePolicy and ManagedPolicy."""

from __future__ import annotations

from typing import Any, Final

from tidegate.local.resources.kinds import CallFailure, Kind, Naming, Request

# The property that names the holders, the parameter of the API, and what its operations are called.
HOLDERS: Final = (
    ("Roles", "RoleName", "role"),
    ("Users", "UserName", "user"),
    ("Groups", "GroupName", "group"),
)
MOST_VERSIONS: Final = 5


class Policy(Kind):
    """One inline policy in several roles, users and groups."""

    type = "AWS::IAM::Policy"

    def create(self, request: Request) -> None:
        """Put it into each holder."""
        request.settle(request.name, Id=request.name)
        self.update(request)

    def update(self, request: Request) -> None:
        """Put it into each holder and take it from those that no longer have it."""
        policy = request.pick("PolicyName", "PolicyDocument")
        for holders, parameter, kind in HOLDERS:
            for holder in request.properties.get(holders) or []:
                request.call("iam", f"put_{kind}_policy", **{parameter: holder}, **policy)
        renamed = request.previous.get("PolicyName") not in {None, request.properties["PolicyName"]}
        for holders, parameter, kind in HOLDERS:
            kept = set() if renamed else set(request.properties.get(holders) or [])
            for holder in set(request.previous.get(holders) or []) - kept:
                old = {parameter: holder, "PolicyName": request.previous["PolicyName"]}
                request.discard("iam", f"delete_{kind}_policy", **old)

    def delete(self, request: Request) -> None:
        """Take it from each holder."""
        for holders, parameter, kind in HOLDERS:
            for holder in request.properties.get(holders) or []:
                names = {parameter: holder, "PolicyName": request.properties["PolicyName"]}
                request.discard("iam", f"delete_{kind}_policy", **names)


class RolePolicy(Kind):
    """One inline policy of one role."""

    type = "AWS::IAM::RolePolicy"
    create_only = frozenset({"RoleName", "PolicyName"})

    def create(self, request: Request) -> None:
        """PutRolePolicy."""
        self.update(request)
        request.settle(f"{request.properties['PolicyName']}|{request.properties['RoleName']}")

    def update(self, request: Request) -> None:
        """The same."""
        request.call("iam", "put_role_policy", **request.rest())

    def delete(self, request: Request) -> None:
        """DeleteRolePolicy."""
        request.discard("iam", "delete_role_policy", **request.pick("RoleName", "PolicyName"))


class ManagedPolicy(Kind):
    """A managed policy; Ref is its ARN. A new document is a new default version."""

    type = "AWS::IAM::ManagedPolicy"
    create_only = frozenset({"ManagedPolicyName", "Path", "Description"})
    naming = Naming("ManagedPolicyName", 128)

    def create(self, request: Request) -> None:
        """CreatePolicy and attach it."""
        own = request.pick("PolicyDocument", "Path", "Description")
        arn = request.call("iam", "create_policy", PolicyName=request.name, **own)["Policy"]["Arn"]
        request.settle(arn, PolicyArn=arn)
        self._attach(request)

    def update(self, request: Request) -> None:
        """CreatePolicyVersion, and attach and detach by what changed."""
        if "PolicyDocument" in request.changed:
            self._make_room(request)
            own = {"PolicyArn": request.physical_id, **request.pick("PolicyDocument")}
            request.call("iam", "create_policy_version", **own, SetAsDefault=True)
        self._attach(request)

    def delete(self, request: Request) -> None:
        """DeletePolicy, after its attachments and older versions."""
        arn = request.physical_id
        for holders, parameter, kind in HOLDERS:
            for holder in request.properties.get(holders) or []:
                request.discard("iam", f"detach_{kind}_policy", **{parameter: holder}, PolicyArn=arn)
        for version in self._list_old(request):
            request.discard("iam", "delete_policy_version", PolicyArn=arn, VersionId=version)
        request.discard("iam", "delete_policy", PolicyArn=arn)

    @staticmethod
    def _list_old(request: Request) -> list[str]:
        found: dict[str, Any] = {}
        try:
            found = request.call("iam", "list_policy_versions", PolicyArn=request.physical_id)
        except CallFailure as failure:
            if not failure.gone:
                raise
        return [v["VersionId"] for v in found.get("Versions", []) if not v["IsDefaultVersion"]]

    def _make_room(self, request: Request) -> None:
        old = sorted(self._list_old(request), key=lambda name: int(name[1:]))
        if len(old) + 1 >= MOST_VERSIONS:
            request.call("iam", "delete_policy_version", PolicyArn=request.physical_id, VersionId=old[0])

    @staticmethod
    def _attach(request: Request) -> None:
        arn = request.physical_id
        for holders, parameter, kind in HOLDERS:
            new, old = request.properties.get(holders) or [], request.previous.get(holders) or []
            for holder in set(old) - set(new):
                request.discard("iam", f"detach_{kind}_policy", **{parameter: holder}, PolicyArn=arn)
            for holder in new:
                if holder not in old:
                    request.call("iam", f"attach_{kind}_policy", **{parameter: holder}, PolicyArn=arn)


KINDS: Final = (Policy, RolePolicy, ManagedPolicy)
