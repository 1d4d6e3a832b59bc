"""Findings of cdk-nag and cfn-lint that are accepted, each with its reason, next to what they are about."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from aws_cdk import Acknowledgment, CfnResource, Stack, Validations

if TYPE_CHECKING:
    from collections.abc import Iterable

    from constructs import IConstruct

WILDCARD: Final = "AwsSolutions-IAM5"
# The CDK writes the order of a role before what uses it, though the reference alone says so.
WRITTEN_ORDER: Final = {"W3005": "The CDK writes down an order that the reference to the role gives as well."}


def accept(construct: IConstruct, rule: str, reason: str) -> None:
    """Accept a finding on a construct and everything under it."""
    Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))


def accept_wildcards(construct: IConstruct, wildcards: Iterable[str], reason: str) -> None:
    """Accept the wildcards among the actions or resources of a policy; what has no `*` is passed over.

    cdk-nag names a finding by the action or the ARN, with references in angle brackets.
    """
    for text in wildcards:
        flat = _flatten(construct, text)
        if "*" in flat:
            kind = "Action" if re.fullmatch(r"[a-z0-9-]+:[A-Za-z*]+", flat) else "Resource"
            accept(construct, f"{WILDCARD}[{kind}::{flat}]", reason)


def accept_lint(construct: IConstruct, rules: dict[str, str]) -> None:
    """Accept findings of cfn-lint on a construct's own resource: {rule: reason}."""
    resource = construct.node.default_child
    if not isinstance(resource, CfnResource):
        raise TypeError(f"{construct.node.path} has no resource of its own")
    resource.add_metadata("cfn-lint", {"config": {"ignore_checks": sorted(rules)}})
    resource.add_metadata("accepted", rules)


def _flatten(construct: IConstruct, text: str) -> str:
    resolved = Stack.of(construct).resolve(text)
    if isinstance(resolved, str):
        return resolved
    parts = resolved["Fn::Join"][1]
    return "".join(part if isinstance(part, str) else _reference(part) for part in parts)


def _reference(part: dict[str, object]) -> str:
    if "Ref" in part:
        return f"<{part['Ref']}>"
    attribute = part["Fn::GetAtt"]
    if not isinstance(attribute, list):
        raise TypeError(f"no reference that a policy may hold: {part}")
    return f"<{'.'.join(attribute)}>"
