"""AWS::Logs: LogGroup, LogStream, SubscriptionFilter, MetricFilter, ResourcePolicy, QueryDefinition."""

from __future__ import annotations

from typing import Any, Final

from tidegate.local.resources.api import ALL, ApiKind
from tidegate.local.resources.kinds import Kind, Naming, Request


class LogGroup(Kind):
    """A log group; Ref is its name."""

    type = "AWS::Logs::LogGroup"
    create_only = frozenset({"LogGroupName"})
    naming = Naming("LogGroupName", 512)
    tagging = "list"

    def create(self, request: Request) -> None:
        """CreateLogGroup and its retention."""
        own = request.rest("LogGroupName", "RetentionInDays", "Tags")
        tags = {"tags": request.tags} if request.tags else {}
        request.call("logs", "create_log_group", logGroupName=request.name, **own, **tags)
        request.settle(request.name, Arn=request.arn("logs", f"log-group:{request.name}:*"))
        self._retain(request)

    def update(self, request: Request) -> None:
        """Retention, key and tags by what changed."""
        changed, name = request.changed, request.physical_id
        if "RetentionInDays" in changed:
            self._retain(request)
        if "KmsKeyId" in changed and "KmsKeyId" in request.properties:
            request.call("logs", "associate_kms_key", logGroupName=name, **request.pick("KmsKeyId"))
        elif "KmsKeyId" in changed:
            request.call("logs", "disassociate_kms_key", logGroupName=name)
        if "Tags" in changed:
            if request.lost_tags:
                request.call("logs", "untag_log_group", logGroupName=name, tags=request.lost_tags)
            request.call("logs", "tag_log_group", logGroupName=name, tags=request.tags)
        if changed - {"RetentionInDays", "KmsKeyId", "Tags"}:
            super().update(request)

    def delete(self, request: Request) -> None:
        """DeleteLogGroup."""
        request.discard("logs", "delete_log_group", logGroupName=request.physical_id)

    @staticmethod
    def _retain(request: Request) -> None:
        names = {"logGroupName": request.physical_id}
        if "RetentionInDays" in request.properties:
            request.call("logs", "put_retention_policy", **names, **request.pick("RetentionInDays"))
        elif "RetentionInDays" in request.previous:
            request.call("logs", "delete_retention_policy", **names)


class LogStream(ApiKind):
    """A log stream; Ref is its name."""

    type = "AWS::Logs::LogStream"
    create_only = ALL
    naming = Naming("LogStreamName", 512)
    service, creates, deletes = "logs", "create_log_stream", "delete_log_stream"
    key, constant = "logStreamName", ("LogGroupName",)


class SubscriptionFilter(ApiKind):
    """A subscription filter; Ref is its name."""

    type = "AWS::Logs::SubscriptionFilter"
    create_only = frozenset({"FilterName", "LogGroupName"})
    naming = Naming("FilterName", 512)
    service, creates, updates = "logs", "put_subscription_filter", "put_subscription_filter"
    deletes, key, constant = "delete_subscription_filter", "filterName", ("LogGroupName",)


class MetricFilter(ApiKind):
    """A metric filter; Ref is its name."""

    type = "AWS::Logs::MetricFilter"
    create_only = frozenset({"FilterName", "LogGroupName"})
    naming = Naming("FilterName", 512)
    service, creates, updates = "logs", "put_metric_filter", "put_metric_filter"
    deletes, key, constant = "delete_metric_filter", "filterName", ("LogGroupName",)

    def parameters(self, request: Request) -> dict[str, Any]:
        """Dimensions are pairs in a template and a map in the API."""
        found = request.rest()
        found["MetricTransformations"] = [_turn_dimensions(one) for one in found["MetricTransformations"]]
        return found


def _turn_dimensions(transformation: dict[str, Any]) -> dict[str, Any]:
    if "Dimensions" not in transformation:
        return transformation
    turned = {pair["Key"]: pair["Value"] for pair in transformation["Dimensions"]}
    return {**transformation, "Dimensions": turned}


class ResourcePolicy(ApiKind):
    """A resource policy of CloudWatch Logs; Ref is its name."""

    type = "AWS::Logs::ResourcePolicy"
    create_only = frozenset({"PolicyName"})
    naming = Naming("PolicyName", 255)
    service, creates, updates = "logs", "put_resource_policy", "put_resource_policy"
    deletes, key = "delete_resource_policy", "policyName"


class QueryDefinition(ApiKind):
    """A saved query; Ref is its id."""

    type = "AWS::Logs::QueryDefinition"
    service, creates, deletes = "logs", "put_query_definition", "delete_query_definition"
    key, identity = "queryDefinitionId", "queryDefinitionId"


KINDS: Final = (LogGroup, LogStream, SubscriptionFilter, MetricFilter, ResourcePolicy, QueryDefinition)
