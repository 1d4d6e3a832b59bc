"""AWS::DynamoDB::GlobalTable, as far as it stands in one region: a table, with settings in its one replica.

The CDK's TableV2 makes these. A replica in another region is refused by name.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from tidegate.local.resources.tables import Table
from tidegate.local.stack_errors import ResourceFailure

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.local.resources.kinds import Request

# What a replica says of the table itself; its indexes' own settings are about throughput.
OF_REPLICA: Final = (
    "ContributorInsightsSpecification",
    "DeletionProtectionEnabled",
    "KinesisStreamSpecification",
    "PointInTimeRecoverySpecification",
    "TableClass",
    "Tags",
)


class GlobalTable(Table):
    """A table of one region; Ref is its name."""

    type = "AWS::DynamoDB::GlobalTable"
    tagging = ""

    def create(self, request: Request) -> None:
        """Make the table of the one replica."""
        _act(request, super().create)

    def update(self, request: Request) -> None:
        """Update it as that table."""
        _act(request, super().update)


def _act(request: Request, act: Callable[[Request], None]) -> None:
    replicas = request.properties.get("Replicas") or []
    if abroad := sorted(one["Region"] for one in replicas if one["Region"] != request.region):
        raise ResourceFailure(f"replicas in {', '.join(abroad)} are not available in the local cloud")
    inner = replace(request, properties=_localize(request.properties), previous=_localize(request.previous))
    try:
        act(inner)
    finally:
        request.physical_id, request.attributes = inner.physical_id, inner.attributes


def _localize(properties: dict[str, Any]) -> dict[str, Any]:
    replicas = properties.get("Replicas") or []
    here = {name: value for one in replicas for name, value in one.items() if name in OF_REPLICA}
    return {name: value for name, value in properties.items() if name != "Replicas"} | here


KINDS: Final = (GlobalTable,)
