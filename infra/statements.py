"""Policy statements as the roles of a stage have them: what is allowed, and what is denied."""

from __future__ import annotations

from typing import Any

from aws_cdk import aws_iam as iam


def policy(*statements: iam.PolicyStatement) -> iam.PolicyDocument:
    """A document of these statements."""
    return iam.PolicyDocument(statements=list(statements))


def allow(
    actions: tuple[str, ...] | list[str], resources: list[str], conditions: dict[str, Any] | None = None
) -> iam.PolicyStatement:
    """These actions on these resources, under conditions if there are any."""
    return iam.PolicyStatement(actions=list(actions), resources=resources, conditions=conditions)


def deny(
    sid: str, actions: list[str], resources: list[str], conditions: dict[str, Any] | None = None
) -> iam.PolicyStatement:
    """None of these actions on these resources, whatever else allows them; perhaps under conditions."""
    return iam.PolicyStatement(
        sid=sid, effect=iam.Effect.DENY, actions=actions, resources=resources, conditions=conditions
    )
