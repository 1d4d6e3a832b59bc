"""AWS::SecretsManager: Secret and ResourcePolicy."""

from __future__ import annotations

import json
from typing import Any, Final

from tidegate.local.resources.kinds import Kind, Naming, Request


class Secret(Kind):
    """A secret; Ref is its ARN. Its value is generated once, and again only when the rule for it changes."""

    type = "AWS::SecretsManager::Secret"
    create_only = frozenset({"Name"})
    naming = Naming("Name", 512)
    tagging = "list"

    def create(self, request: Request) -> None:
        """CreateSecret."""
        own = request.pick("Description", "KmsKeyId", "SecretString")
        if "SecretString" not in own:
            own["SecretString"] = self._generate(request)
        tags = {"Tags": request.tag_list()} if request.tags else {}
        arn = request.call("secretsmanager", "create_secret", Name=request.name, **own, **tags)["ARN"]
        request.settle(arn, Id=arn)

    def update(self, request: Request) -> None:
        """UpdateSecret with what changed."""
        changed, own = request.changed, request.pick("Description", "KmsKeyId")
        if "SecretString" in changed and "SecretString" in request.properties:
            own |= request.pick("SecretString")
        elif "GenerateSecretString" in changed:
            own["SecretString"] = self._generate(request)
        request.call("secretsmanager", "update_secret", SecretId=request.physical_id, **own)
        if "Tags" in changed:
            names = {"SecretId": request.physical_id}
            if request.lost_tags:
                request.call("secretsmanager", "untag_resource", **names, TagKeys=request.lost_tags)
            request.call("secretsmanager", "tag_resource", **names, Tags=request.tag_list())

    def delete(self, request: Request) -> None:
        """DeleteSecret, at once."""
        names = {"SecretId": request.physical_id, "ForceDeleteWithoutRecovery": True}
        request.discard("secretsmanager", "delete_secret", **names)

    @staticmethod
    def _generate(request: Request) -> str:
        rule: dict[str, Any] = dict(request.properties.get("GenerateSecretString") or {})
        template, key = rule.pop("SecretStringTemplate", None), rule.pop("GenerateStringKey", None)
        password = request.call("secretsmanager", "get_random_password", **rule)["RandomPassword"]
        if template is None:
            return str(password)
        return json.dumps({**json.loads(template), key: password})


class ResourcePolicy(Kind):
    """A secret's policy."""

    type = "AWS::SecretsManager::ResourcePolicy"
    create_only = frozenset({"SecretId"})

    def create(self, request: Request) -> None:
        """PutResourcePolicy."""
        self.update(request)
        request.settle(request.properties["SecretId"])

    def update(self, request: Request) -> None:
        """The same."""
        request.call("secretsmanager", "put_resource_policy", **request.rest())

    def delete(self, request: Request) -> None:
        """DeleteResourcePolicy."""
        request.discard("secretsmanager", "delete_resource_policy", **request.pick("SecretId"))


KINDS: Final = (Secret, ResourcePolicy)
