"""The keys of statements of provenance: one that signs, and earlier ones that are still trusted.

A key is never deleted with the stack. Its own policy lets AttestRelease alone sign, and only digests by
ECDSA_SHA_256: no right that an administrator gives elsewhere adds to that. KMS does not rotate asymmetric
keys; the configuration names them all, the last one signs, and the alias leads to it.
"""

from __future__ import annotations

from typing import Final

from aws_cdk import RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.rights import SIGN_DIGESTS, Keys, role_arn
from infra.statements import policy
from tidegate.domain import pipeline as names

# All that keeps a key in order, and nothing that uses it:
# https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
ADMINISTRATION: Final = (
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:EnableKey",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListAliases",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
)
CHECKING: Final = ("kms:GetPublicKey", "kms:Verify")


class Signing(Construct):
    """The keys by their names in the configuration; `keys` has their ARNs."""

    def __init__(self, scope: Construct, construct_id: str, *, pipeline: names.Pipeline) -> None:
        super().__init__(scope, construct_id)
        drawn = tuple(self._draw(name, pipeline.signing_keys).key_arn for name in pipeline.signing_keys)
        self.keys = Keys(current=drawn[-1], trusted=drawn)
        kms.CfnAlias(self, "Current", alias_name=names.SIGNING_ALIAS, target_key_id=self.keys.current)

    def _draw(self, name: str, known: tuple[str, ...]) -> kms.Key:
        signs = name == known[-1]
        key = kms.Key(
            self,
            name,
            description=f"Tidegate: {'signs' if signs else 'signed'} statements of provenance ({name})",
            key_spec=kms.KeySpec.ECC_NIST_P256,
            key_usage=kms.KeyUsage.SIGN_VERIFY,
            policy=_policy(signs=signs),
            removal_policy=RemovalPolicy.RETAIN,
        )
        kms.CfnAlias(key, "Own", alias_name=f"{names.SIGNING_ALIAS}-{name}", target_key_id=key.key_arn)
        return key


def _policy(*, signs: bool) -> iam.PolicyDocument:
    """Who may use a key: the account, as its roles allow. The signer is known by name before it is made."""
    signer = {"ArnEquals": {"aws:PrincipalArn": role_arn(names.function_name("AttestRelease"))}}
    statements = [
        _allow("Administration", ADMINISTRATION),
        _allow("Checking", CHECKING),
        *([_allow("Signing", ("kms:Sign",), {**signer, **SIGN_DIGESTS})] if signs else []),
    ]
    return policy(*statements)


def _allow(
    sid: str, actions: tuple[str, ...], conditions: dict[str, dict[str, str]] | None = None
) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid=sid,
        principals=[iam.AccountRootPrincipal()],
        actions=list(actions),
        resources=["*"],
        conditions=conditions,
    )
