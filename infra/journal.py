"""Log groups: each is named, kept for as long as is configured, and goes with its stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs

if TYPE_CHECKING:
    from constructs import Construct


def log_group(scope: Construct, name: str, days: int) -> logs.LogGroup:
    """A log group whose entries are kept for `days`, one of the numbers that CloudWatch Logs knows."""
    group = logs.LogGroup(scope, "Logs", log_group_name=name, removal_policy=RemovalPolicy.DESTROY)
    resource = group.node.default_child
    if not isinstance(resource, logs.CfnLogGroup):
        raise TypeError("a log group's own resource is expected under it")
    resource.retention_in_days = days
    return group
