"""AWS::SSM::Document and AWS::EFS::AccessPoint, which moto's own models cannot make of a template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from tidegate.local.resources.api import ALL, ApiKind
from tidegate.local.resources.kinds import Naming

if TYPE_CHECKING:
    from tidegate.local.resources.kinds import Request


class Document(ApiKind):
    """A document of Systems Manager; JSON and of type Command where the template does not say."""

    type = "AWS::SSM::Document"
    create_only = ALL
    naming = Naming("Name", 128)
    service, creates, deletes = "ssm", "create_document", "delete_document"
    key, ignored = "Name", ("UpdateMethod",)

    def parameters(self, request: Request) -> dict[str, Any]:
        """CreateDocument's own defaults are not those of moto."""
        return {"DocumentFormat": "JSON", "DocumentType": "Command", **super().parameters(request)}


class AccessPoint(ApiKind):
    """An access point of a file system; Ref is its id. Functions here do not mount it."""

    type = "AWS::EFS::AccessPoint"
    create_only = ALL
    service, creates, deletes = "efs", "create_access_point", "delete_access_point"
    key, identity = "AccessPointId", "AccessPointId"
    returned: ClassVar[dict[str, str]] = {"Arn": "AccessPointArn", "AccessPointId": "AccessPointId"}
    renamed: ClassVar[dict[str, str]] = {"AccessPointTags": "Tags"}


KINDS: Final = (Document, AccessPoint)
