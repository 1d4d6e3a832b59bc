"""What CloudFormation remembers: stacks, their resources and events, change sets.

Plain records; who writes them holds the lock of their stack's registry.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tidegate.local.stack_parameters import Parameter
    from tidegate.local.stack_templates import Template

STACK_TYPE: Final = "AWS::CloudFormation::Stack"


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


@dataclass
class Deployed:
    """A resource as it was last brought about; `properties` are resolved but for dynamic references."""

    logical_id: str
    type: str
    properties: dict[str, Any]
    physical_id: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    metadata: Any = None
    deletion_policy: str = "Delete"
    replace_policy: str = "Delete"
    status: str = ""
    reason: str = ""
    changed: datetime = field(default_factory=now)
    model: Any = None


@dataclass
class Revision:
    """What a stack is asked to be: a template with all that goes with it."""

    template: Template
    parameters: dict[str, Parameter]
    tags: dict[str, str]
    capabilities: list[str]
    role_arn: str | None = None
    notification_arns: list[str] = field(default_factory=list)
    on_failure: str = "ROLLBACK"


@dataclass
class ChangeSet:
    """A change set; `revision` is what the stack would be after it."""

    id: str
    name: str
    kind: str
    revision: Revision
    description: str | None
    created: datetime = field(default_factory=now)
    status: str = "CREATE_PENDING"
    reason: str | None = None
    execution: str = "UNAVAILABLE"
    changes: list[dict[str, Any]] = field(default_factory=list)
    includes_nested: bool = False
    nested: list[tuple[Stack, ChangeSet]] = field(default_factory=list)
    parent: str | None = None
    root: str | None = None


@dataclass
class Stack:
    """A stack: its revision (None while it is only being reviewed), state and history."""

    name: str
    id: str
    account: str
    region: str
    revision: Revision | None = None
    status: str = "REVIEW_IN_PROGRESS"
    reason: str | None = None
    created: datetime = field(default_factory=now)
    updated: datetime | None = None
    deleted: datetime | None = None
    parent: str | None = None
    protected: bool = False
    token: str | None = None
    change_set_id: str | None = None
    resources: dict[str, Deployed] = field(default_factory=dict)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    imports: set[str] = field(default_factory=set)
    events: list[dict[str, Any]] = field(default_factory=list)
    change_sets: dict[str, ChangeSet] = field(default_factory=dict)
    unfinished: Any = None

    @property
    def busy(self) -> bool:
        """Whether an operation is under way."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    def enter(self, status: str, reason: str | None = None) -> None:
        """Take on a status and tell of it in the events."""
        self.status, self.reason = status, reason
        self._record(self.name, self.id, STACK_TYPE, status, reason, None)

    def tell(self, resource: Deployed, status: str, reason: str | None = None) -> None:
        """Give a resource a status and tell of it in the events."""
        resource.status, resource.reason, resource.changed = status, reason or "", now()
        self._record(
            resource.logical_id, resource.physical_id, resource.type, status, reason, resource.properties
        )

    def _record(
        self,
        logical_id: str,
        physical_id: str,
        kind: str,
        status: str,
        reason: str | None,
        properties: dict[str, Any] | None,
    ) -> None:
        self.events.append(
            {
                "StackId": self.id,
                "StackName": self.name,
                "EventId": f"{logical_id}-{status}-{uuid.uuid4()}",
                "LogicalResourceId": logical_id,
                "PhysicalResourceId": physical_id,
                "ResourceType": kind,
                "Timestamp": now(),
                "ResourceStatus": status,
                "ResourceStatusReason": reason,
                "ResourceProperties": json.dumps(properties, default=str) if properties else None,
                "ClientRequestToken": self.token,
            }
        )
