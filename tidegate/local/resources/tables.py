"""AWS::DynamoDB::Table."""

from __future__ import annotations

from typing import Any, Final

from tidegate.local.resources.kinds import Kind, Naming, Request
from tidegate.local.stack_errors import ResourceFailure

AS_THEY_ARE: Final = (
    "AttributeDefinitions",
    "BillingMode",
    "DeletionProtectionEnabled",
    "GlobalSecondaryIndexes",
    "KeySchema",
    "LocalSecondaryIndexes",
    "OnDemandThroughput",
    "ProvisionedThroughput",
    "TableClass",
)
# They change how a table performs or is watched, which shows nowhere here.
UNSEEN: Final = frozenset({"ContributorInsightsSpecification", "WarmThroughput"})
APART: Final = frozenset({"PointInTimeRecoverySpecification", "TimeToLiveSpecification", "Tags"})
TURNED: Final = frozenset({"SSESpecification", "StreamSpecification", "TableName"})


class Table(Kind):
    """A table; Ref is its name."""

    type = "AWS::DynamoDB::Table"
    create_only = frozenset({"TableName", "KeySchema", "LocalSecondaryIndexes"})
    naming = Naming("TableName", 255)
    tagging = "list"

    def create(self, request: Request) -> None:
        """CreateTable, then recovery and time to live."""
        known = {*AS_THEY_ARE, *APART, *TURNED, *UNSEEN}
        if strangers := set(request.properties) - known:
            raise ResourceFailure(
                f"AWS::DynamoDB::Table {', '.join(sorted(strangers))} is not available in the local cloud"
            )
        own = request.pick(*AS_THEY_ARE) | _turn(request.properties)
        tags = {"Tags": request.tag_list()} if request.tags else {}
        answer = request.call("dynamodb", "create_table", TableName=request.name, **own, **tags)
        self._take(request, request.name, answer["TableDescription"])
        self._settle_apart(request, set(request.properties))

    def update(self, request: Request) -> None:
        """UpdateTable with what changed; indexes one at a time, as DynamoDB wants it."""
        name, changed = request.physical_id, request.changed
        turned = _turn(request.properties)
        if "StreamSpecification" in changed and "StreamSpecification" in request.previous:
            self._update(request, {"StreamSpecification": {"StreamEnabled": False}})
        simple = {
            key: turned.get(key, request.properties.get(key))
            for key in changed & {*AS_THEY_ARE, "SSESpecification"}
        }
        simple.pop("GlobalSecondaryIndexes", None)
        simple.pop("AttributeDefinitions", None)
        if "StreamSpecification" in changed and "StreamSpecification" in turned:
            simple["StreamSpecification"] = turned["StreamSpecification"]
        if simple:
            self._update(request, simple)
        for change in _plan_indexes(request):
            definitions = request.pick("AttributeDefinitions")
            self._update(request, {"GlobalSecondaryIndexUpdates": [change], **definitions})
        self._settle_apart(request, changed)
        self._take(request, name, request.call("dynamodb", "describe_table", TableName=name)["Table"])

    def delete(self, request: Request) -> None:
        """DeleteTable."""
        request.discard("dynamodb", "delete_table", TableName=request.physical_id)

    @staticmethod
    def _update(request: Request, changes: dict[str, Any]) -> None:
        request.call("dynamodb", "update_table", TableName=request.physical_id, **changes)

    @staticmethod
    def _take(request: Request, name: str, description: dict[str, Any]) -> None:
        attributes = {"Arn": description["TableArn"]}
        request.attributes = {}
        if description.get("LatestStreamArn"):
            attributes["StreamArn"] = description["LatestStreamArn"]
        request.settle(name, **attributes)

    @staticmethod
    def _settle_apart(request: Request, changed: set[str]) -> None:
        name = request.physical_id
        if "PointInTimeRecoverySpecification" in changed:
            off = {"PointInTimeRecoveryEnabled": False}
            value = request.properties.get("PointInTimeRecoverySpecification", off)
            request.call(
                "dynamodb",
                "update_continuous_backups",
                TableName=name,
                PointInTimeRecoverySpecification=value,
            )
        if "TimeToLiveSpecification" in changed:
            old = request.previous.get("TimeToLiveSpecification", {})
            value = request.properties.get("TimeToLiveSpecification", {**old, "Enabled": False})
            request.call("dynamodb", "update_time_to_live", TableName=name, TimeToLiveSpecification=value)
        if "Tags" in changed and request.previous:
            arn = request.attributes["Arn"]
            if request.lost_tags:
                request.call("dynamodb", "untag_resource", ResourceArn=arn, TagKeys=request.lost_tags)
            request.call("dynamodb", "tag_resource", ResourceArn=arn, Tags=request.tag_list())


def _turn(properties: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "StreamSpecification" in properties:
        found["StreamSpecification"] = {"StreamEnabled": True, **properties["StreamSpecification"]}
    if "SSESpecification" in properties:
        value = dict(properties["SSESpecification"])
        found["SSESpecification"] = {"Enabled": value.pop("SSEEnabled", True), **value}
    return found


def _plan_indexes(request: Request) -> list[dict[str, Any]]:
    new = {index["IndexName"]: index for index in request.properties.get("GlobalSecondaryIndexes") or []}
    old = {index["IndexName"]: index for index in request.previous.get("GlobalSecondaryIndexes") or []}
    changed = [name for name in new if name in old and new[name] != old[name]]
    throughput = [
        name for name in changed if _without_throughput(new[name]) == _without_throughput(old[name])
    ]
    remade = [name for name in changed if name not in throughput]
    plan: list[dict[str, Any]] = [
        {"Delete": {"IndexName": name}} for name in [*(set(old) - set(new)), *remade]
    ]
    plan += [
        {"Update": {"IndexName": name, "ProvisionedThroughput": new[name]["ProvisionedThroughput"]}}
        for name in throughput
        if "ProvisionedThroughput" in new[name]
    ]
    plan += [{"Create": new[name]} for name in new if name not in old or name in remade]
    return plan


def _without_throughput(index: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in index.items() if key != "ProvisionedThroughput"}


KINDS: Final = (Table,)
