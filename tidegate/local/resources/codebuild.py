"""AWS::CodeBuild: Project."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from tidegate.local.resources.api import ApiKind
from tidegate.local.resources.kinds import Naming, Request


class Project(ApiKind):
    """A project; Ref is its name."""

    type = "AWS::CodeBuild::Project"
    create_only = frozenset({"Name"})
    naming = Naming("Name", 150)
    service, creates, updates, deletes = "codebuild", "create_project", "update_project", "delete_project"
    key = "name"
    returned: ClassVar[dict[str, str]] = {"Arn": "project.arn"}

    def parameters(self, request: Request) -> dict[str, Any]:
        """All properties; the API's names differ by their case alone."""
        found = super().parameters(request)
        return {name[0].lower() + name[1:]: value for name, value in found.items() if name != "Name"}

    def create(self, request: Request) -> None:
        """Make it under its name."""
        answer = request.call(self.service, self.creates, name=request.name, **self.parameters(request))
        self.take(request, answer)


KINDS: Final = (Project,)
