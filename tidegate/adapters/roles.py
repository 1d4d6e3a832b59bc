"""The policies that roles of a stage have in the account, read role by role.

Reads only: what is held is written by CloudFormation, through a side stack.
Source: AWS IAM API Reference, GetRolePolicy and GetPolicyVersion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tidegate.adapters.pacing import TokenBucket
from tidegate.adapters.threads import side_by_side
from tidegate.domain.holds import POLICY, LiveRole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_iam import IAMClient

ROLES_A_SECOND: Final = 5.0  # a role takes three calls as a rule; IAM has one quota for the whole account


def read_live(
    client: IAMClient, roles: Mapping[str, frozenset[str]], bucket: TokenBucket | None = None
) -> dict[str, LiveRole]:
    """The roles by name, with their inline policies and those of the named managed ones that are attached.

    What Tidegate itself holds is left out, and so is a role that does not exist. bucket: a token for each
    role and each managed policy.
    """
    pace = bucket or TokenBucket(ROLES_A_SECOND)
    arns = sorted({arn for named in roles.values() for arn in named})
    texts = side_by_side(lambda arn: _read_document(client, arn, pace), arns)
    documents = dict(zip(arns, texts, strict=True))
    found = side_by_side(lambda item: _read_role(client, item[0], item[1], documents, pace), roles.items())
    return {name: role for name, role in zip(roles, found, strict=True) if role is not None}


def _read_role(
    client: IAMClient, name: str, arns: frozenset[str], documents: Mapping[str, Any], pace: TokenBucket
) -> LiveRole | None:
    pace.take()
    try:
        inline = {policy: _read_inline(client, name, policy) for policy in _list_inline(client, name)}
        attached = set(_list_attached(client, name)) if arns else set()
    except client.exceptions.NoSuchEntityException:
        return None
    return LiveRole(inline=inline, attached={arn: documents[arn] for arn in sorted(arns & attached)})


def _list_inline(client: IAMClient, role: str) -> list[str]:
    pages = client.get_paginator("list_role_policies").paginate(RoleName=role)
    return [name for page in pages for name in page["PolicyNames"] if name != POLICY]


def _read_inline(client: IAMClient, role: str, policy: str) -> Any:  # noqa: ANN401
    return client.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]


def _list_attached(client: IAMClient, role: str) -> list[str]:
    pages = client.get_paginator("list_attached_role_policies").paginate(RoleName=role)
    return [policy["PolicyArn"] for page in pages for policy in page["AttachedPolicies"]]


def _read_document(client: IAMClient, arn: str, pace: TokenBucket) -> Any:  # noqa: ANN401
    """The document that is in force of a managed policy; an empty one where there is no such policy."""
    pace.take()
    try:
        pages = client.get_paginator("list_policy_versions").paginate(PolicyArn=arn)
        versions = [version for page in pages for version in page["Versions"]]
        current = next(version["VersionId"] for version in versions if version["IsDefaultVersion"])
        return client.get_policy_version(PolicyArn=arn, VersionId=current)["PolicyVersion"]["Document"]
    except client.exceptions.NoSuchEntityException:
        return {}
