"""AWS::SSM::Parameter."""

from __future__ import annotations

from typing import Final

from tidegate.local.resources.kinds import Kind, Naming, Request


class Parameter(Kind):
    """A parameter; Ref is its name."""

    type = "AWS::SSM::Parameter"
    create_only = frozenset({"Name"})
    naming = Naming("Name", 1011)

    def create(self, request: Request) -> None:
        """PutParameter; a name that is taken is refused."""
        tags = {"Tags": request.tag_list()} if request.tags else {}
        request.call("ssm", "put_parameter", Name=request.name, **request.rest("Name", "Tags"), **tags)
        request.settle(request.name, **request.pick("Type", "Value"))

    def update(self, request: Request) -> None:
        """PutParameter over the old value."""
        own = request.rest("Name", "Tags")
        request.call("ssm", "put_parameter", Name=request.physical_id, **own, Overwrite=True)
        request.settle(request.physical_id, **request.pick("Type", "Value"))
        if "Tags" in request.changed:
            names = {"ResourceType": "Parameter", "ResourceId": request.physical_id}
            if request.lost_tags:
                request.call("ssm", "remove_tags_from_resource", **names, TagKeys=request.lost_tags)
            request.call("ssm", "add_tags_to_resource", **names, Tags=request.tag_list())

    def delete(self, request: Request) -> None:
        """DeleteParameter."""
        request.discard("ssm", "delete_parameter", Name=request.physical_id)


KINDS: Final = (Parameter,)
