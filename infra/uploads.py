"""Who may upload bundles from another host's builds: roles for OpenID Connect, with no stored keys.

A role may write the bundles of one service's branches, and nothing else: what a bundle holds is checked by
the release that it starts.
Source: AWS IAM User Guide, "Create a role for OpenID Connect federation".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from aws_cdk import Aws, CfnOutput, Duration, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.findings import accept_wildcards
from infra.rights import object_arn
from infra.statements import allow, policy
from tidegate.domain import pipeline as names

if TYPE_CHECKING:
    from tidegate.domain.pipeline import Pipeline
    from tidegate.domain.uploads import Upload

# Of commit ids by SHA-1 and SHA-256. A `*` would stand for a slash too, and so for branches of longer names.
COMMIT_SIZES: Final = (40, 64)


class Uploads(Construct):
    """A provider for each issuer, and a role for each service whose bundles are uploaded."""

    def __init__(self, scope: Construct, construct_id: str, *, pipeline: Pipeline) -> None:
        super().__init__(scope, construct_id)
        audiences: dict[str, set[str]] = {}
        for upload in pipeline.uploads:
            audiences.setdefault(upload.issuer, set()).add(upload.audience)
        providers = {issuer: self._provider(issuer, sorted(found)) for issuer, found in audiences.items()}
        for upload in pipeline.uploads:
            self._role(upload, upload.branches or pipeline.branches, providers[upload.issuer])

    def _provider(self, issuer: str, audiences: list[str]) -> iam.CfnOIDCProvider:
        name = "".join(part.capitalize() for part in re.findall(r"[A-Za-z0-9]+", issuer))
        return iam.CfnOIDCProvider(self, name, url=f"https://{issuer}", client_id_list=audiences)

    def _role(self, upload: Upload, branches: tuple[str, ...], provider: iam.CfnOIDCProvider) -> None:
        sources = names.source_bucket(Aws.ACCOUNT_ID, Aws.REGION)
        keys = (
            f"{upload.service}/{branch}/{'?' * size}.bundle" for branch in branches for size in COMMIT_SIZES
        )
        bundles = [object_arn(sources, key) for key in keys]
        role = iam.Role(
            self,
            f"Role-{upload.service}",
            role_name=names.upload_role(upload.service),
            description=f"Uploads bundles of {upload.service}",
            max_session_duration=Duration.hours(1),
            assumed_by=iam.WebIdentityPrincipal(
                provider.attr_arn,
                {
                    "StringEquals": {f"{upload.issuer}:aud": upload.audience},
                    "StringLike": {f"{upload.issuer}:sub": list(upload.subjects)},
                },
            ),
            inline_policies={"upload": policy(allow(["s3:PutObject"], bundles))},
        )
        accept_wildcards(role, bundles, "Bundles are named after commits, which are not known beforehand.")
        CfnOutput(Stack.of(self), f"UploadRole{_words(upload.service)}", value=role.role_arn)


def _words(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-"))
