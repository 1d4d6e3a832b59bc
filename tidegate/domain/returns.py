"""Whether a stack can safely go back to the template of an earlier release, by what CloudFormation would do.

A rollback of a release undoes what that release alone did, minutes ago. Going back further crosses what other
releases did and what has been stored since: whatever could lose data, a name or a version is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tidegate.domain.templates.changes import ChangedResource

# What can be deleted and made again without a loss: it holds nothing, and nobody outside knows its name.
REMADE: Final = frozenset(
    {
        "AWS::ApiGateway::Deployment",
        "AWS::ApiGateway::GatewayResponse",
        "AWS::ApiGateway::Method",
        "AWS::ApiGateway::Model",
        "AWS::ApiGateway::RequestValidator",
        "AWS::ApiGateway::Resource",
        "AWS::ApiGatewayV2::Deployment",
        "AWS::ApiGatewayV2::Integration",
        "AWS::ApiGatewayV2::Route",
        "AWS::AppConfig::Deployment",
        "AWS::AppConfig::HostedConfigurationVersion",
        "AWS::ApplicationAutoScaling::ScalableTarget",
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::Dashboard",
        "AWS::Events::Rule",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::Policy",
        "AWS::IAM::RolePolicy",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::LayerVersion",
        "AWS::Lambda::Permission",
        "AWS::Logs::MetricFilter",
        "AWS::Logs::SubscriptionFilter",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::Subscription",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::QueuePolicy",
        "AWS::Scheduler::Schedule",
    }
)
TOLD: Final = 20  # obstacles that one entry of the ledger names


def find_obstacles(changes: Iterable[ChangedResource]) -> tuple[str, ...]:
    """Why these changes must not be made; empty where they may."""
    found = [
        f"{change.logical_id} ({change.type}) {_explain(change)}"
        for change in changes
        if change.type not in REMADE and (change.replacement or change.action != "Modify")
    ]
    more = (f"and {len(found) - TOLD} more",) if len(found) > TOLD else ()
    return (*found[:TOLD], *more)


def _explain(change: ChangedResource) -> str:
    if change.action == "Remove":
        return "has come since and would be deleted, with what it holds"
    if change.action in {"Add", "Import"}:
        return "has been deleted since and would come back empty"
    if change.replacement:
        return "would be replaced: what it holds would be lost, or its name"
    return "may change in ways that cannot be known beforehand"
