"""AWS::Events: Rule, EventBus, EventBusPolicy, Archive, Connection, ApiDestination."""

from __future__ import annotations

from typing import Any, Final

from tidegate.local.resources.api import ApiKind
from tidegate.local.resources.kinds import Kind, Naming, Request
from tidegate.local.stack_errors import ResourceFailure


class Rule(Kind):
    """A rule with its targets; Ref is its name, on a bus of one's own `bus|name`."""

    type = "AWS::Events::Rule"
    create_only = frozenset({"Name", "EventBusName"})
    naming = Naming("Name", 64)
    tagging = "list"

    def create(self, request: Request) -> None:
        """PutRule and PutTargets."""
        bus = request.properties.get("EventBusName", "default")
        arn = self._put(request, request.name)
        short = str(bus).rsplit("/", 1)[-1]
        request.settle(request.name if short == "default" else f"{short}|{request.name}", Arn=arn)
        self._put_targets(request, request.name, request.properties.get("Targets") or [])

    def update(self, request: Request) -> None:
        """PutRule, and the targets that changed."""
        name = request.physical_id.rsplit("|", 1)[-1]
        self._put(request, name)
        new, old = request.properties.get("Targets") or [], request.previous.get("Targets") or []
        kept = {target["Id"] for target in new}
        self._remove_targets(request, name, [target["Id"] for target in old if target["Id"] not in kept])
        self._put_targets(request, name, [target for target in new if target not in old])

    def delete(self, request: Request) -> None:
        """RemoveTargets and DeleteRule."""
        name = request.physical_id.rsplit("|", 1)[-1]
        self._remove_targets(request, name, [t["Id"] for t in request.properties.get("Targets") or []])
        request.discard("events", "delete_rule", Name=name, **request.pick("EventBusName"))

    @staticmethod
    def _put(request: Request, name: str) -> str:
        own = request.rest("Name", "Targets", "Tags")
        tags = {"Tags": request.tag_list()} if request.tags else {}
        return str(request.call("events", "put_rule", Name=name, **own, **tags)["RuleArn"])

    @staticmethod
    def _put_targets(request: Request, name: str, targets: list[dict[str, Any]]) -> None:
        if not targets:
            return
        bus = request.pick("EventBusName")
        answer = request.call("events", "put_targets", Rule=name, Targets=targets, **bus)
        if answer.get("FailedEntryCount"):
            reasons = "; ".join(entry.get("ErrorMessage", "") for entry in answer["FailedEntries"])
            raise ResourceFailure(f"PutTargets failed: {reasons}")

    @staticmethod
    def _remove_targets(request: Request, name: str, ids: list[str]) -> None:
        if ids:
            request.discard("events", "remove_targets", Rule=name, Ids=ids, **request.pick("EventBusName"))


class EventBus(ApiKind):
    """A bus; Ref is its name."""

    type = "AWS::Events::EventBus"
    create_only = frozenset({"Name", "EventSourceName"})
    naming = Naming("Name", 256)
    service, creates, updates, deletes = "events", "create_event_bus", "update_event_bus", "delete_event_bus"
    key = "Name"
    ignored = ("Policy",)

    def create(self, request: Request) -> None:
        """CreateEventBus."""
        super().create(request)
        request.settle(
            request.name, Name=request.name, Arn=request.arn("events", f"event-bus/{request.name}")
        )
        self._put_policy(request)

    def update(self, request: Request) -> None:
        """UpdateEventBus, and the policy."""
        if request.changed - {"Policy", "Tags"}:
            super().update(request)
        self._put_policy(request)

    @staticmethod
    def _put_policy(request: Request) -> None:
        if "Policy" in request.properties:
            policy = request.properties["Policy"]
            request.call("events", "put_permission", EventBusName=request.physical_id, Policy=policy)


class EventBusPolicy(Kind):
    """One statement of a bus's policy."""

    type = "AWS::Events::EventBusPolicy"
    create_only = frozenset({"EventBusName", "StatementId"})

    def create(self, request: Request) -> None:
        """PutPermission."""
        self.update(request)
        request.settle(
            f"{request.properties.get('EventBusName', 'default')}|{request.properties['StatementId']}"
        )

    def update(self, request: Request) -> None:
        """The same."""
        own = request.pick("EventBusName", "StatementId", "Action", "Principal", "Condition")
        if "Statement" in request.properties:
            statement = {"Sid": request.properties["StatementId"], **request.properties["Statement"]}
            policy = {"Version": "2012-10-17", "Statement": [statement]}
            own = request.pick("EventBusName") | {"Policy": policy}
        request.call("events", "put_permission", **own)

    def delete(self, request: Request) -> None:
        """RemovePermission."""
        request.discard("events", "remove_permission", **request.pick("EventBusName", "StatementId"))


class Archive(ApiKind):
    """An archive; Ref is its name."""

    type = "AWS::Events::Archive"
    create_only = frozenset({"ArchiveName", "SourceArn"})
    naming = Naming("ArchiveName", 48)
    service, creates, updates, deletes = "events", "create_archive", "update_archive", "delete_archive"
    key = "ArchiveName"
    renamed = {"SourceArn": "EventSourceArn"}  # noqa: RUF012
    returned = {"Arn": "ArchiveArn"}  # noqa: RUF012


class Connection(ApiKind):
    """A connection of API destinations; Ref is its name."""

    type = "AWS::Events::Connection"
    create_only = frozenset({"Name"})
    naming = Naming("Name", 64)
    service, creates, updates, deletes = (
        "events",
        "create_connection",
        "update_connection",
        "delete_connection",
    )
    key = "Name"
    returned = {"Arn": "ConnectionArn"}  # noqa: RUF012


class ApiDestination(ApiKind):
    """An API destination; Ref is its name."""

    type = "AWS::Events::ApiDestination"
    create_only = frozenset({"Name"})
    naming = Naming("Name", 64)
    service, creates = "events", "create_api_destination"
    updates, deletes = "update_api_destination", "delete_api_destination"
    key = "Name"
    returned = {"Arn": "ApiDestinationArn"}  # noqa: RUF012


KINDS: Final = (Rule, EventBus, EventBusPolicy, Archive, Connection, ApiDestination)
