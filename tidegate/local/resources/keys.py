"""AWS::KMS::Key and AWS::KMS::Alias."""

from __future__ import annotations

from typing import Any, Final

from tidegate.local.resources.api import ApiKind
from tidegate.local.resources.kinds import Kind, Request

AT_CREATION: Final = (
    "Description",
    "KeySpec",
    "KeyUsage",
    "MultiRegion",
    "Origin",
    "BypassPolicyLockoutSafetyCheck",
)
DEFAULT_WINDOW: Final = 30


class Key(Kind):
    """A key; Ref is its id."""

    type = "AWS::KMS::Key"
    create_only = frozenset({"KeySpec", "KeyUsage", "MultiRegion", "Origin"})
    tagging = "list"

    def create(self, request: Request) -> None:
        """CreateKey, then whether it rotates and is enabled."""
        own: dict[str, Any] = request.pick(*AT_CREATION, Policy="KeyPolicy")
        if request.tags:
            own["Tags"] = request.tag_list("TagKey", "TagValue")
        key = request.call("kms", "create_key", **own)["KeyMetadata"]
        request.settle(key["KeyId"], Arn=key["Arn"], KeyId=key["KeyId"])
        self._switch(request, set(request.properties))

    def update(self, request: Request) -> None:
        """Each part that changed."""
        changed, names = request.changed, {"KeyId": request.physical_id}
        if "KeyPolicy" in changed:
            policy = request.properties["KeyPolicy"]
            request.call("kms", "put_key_policy", **names, PolicyName="default", Policy=policy)
        if "Description" in changed:
            description = request.properties.get("Description", "")
            request.call("kms", "update_key_description", **names, Description=description)
        if "Tags" in changed:
            if request.lost_tags:
                request.call("kms", "untag_resource", **names, TagKeys=request.lost_tags)
            request.call("kms", "tag_resource", **names, Tags=request.tag_list("TagKey", "TagValue"))
        self._switch(request, changed)

    def delete(self, request: Request) -> None:
        """ScheduleKeyDeletion."""
        window = request.properties.get("PendingWindowInDays", DEFAULT_WINDOW)
        names = {"KeyId": request.physical_id, "PendingWindowInDays": window}
        request.discard("kms", "schedule_key_deletion", **names)

    @staticmethod
    def _switch(request: Request, changed: set[str]) -> None:
        names = {"KeyId": request.physical_id}
        if "EnableKeyRotation" in changed:
            on = str(request.properties.get("EnableKeyRotation", False)).lower() == "true"
            period = request.pick("RotationPeriodInDays") if on else {}
            request.call("kms", "enable_key_rotation" if on else "disable_key_rotation", **names, **period)
        if "Enabled" in changed:
            on = str(request.properties.get("Enabled", True)).lower() == "true"
            request.call("kms", "enable_key" if on else "disable_key", **names)


class Alias(ApiKind):
    """An alias of a key; Ref is its name."""

    type = "AWS::KMS::Alias"
    create_only = frozenset({"AliasName"})
    service, creates, updates, deletes = "kms", "create_alias", "update_alias", "delete_alias"
    key = "AliasName"

    def take(self, request: Request, answer: dict[str, Any]) -> None:  # noqa: ARG002 - the answer is empty
        """The alias is its name."""
        request.settle(request.properties["AliasName"])


KINDS: Final = (Key, Alias)
