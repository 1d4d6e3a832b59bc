"""Who may sign statements, with which key, and how keys follow one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from tests.infra.test_templates import STACKS, flat, listed, statements
from tidegate.domain.pipeline import Pipeline

if TYPE_CHECKING:
    from tests.infra.conftest import Assembly

DIGESTS = {"StringEquals": {"kms:MessageType": "DIGEST", "kms:SigningAlgorithm": "ECDSA_SHA_256"}}
STAGES = [{"name": "staging"}]


def keys(assembly: Assembly) -> dict[str, dict[str, Any]]:
    """The keys by the name in the configuration, which their own aliases end with."""
    aliases = assembly.resources("AWS::KMS::Alias").values()
    found = assembly.resources("AWS::KMS::Key")
    own = {a["Properties"]["AliasName"]: a["Properties"]["TargetKeyId"]["Fn::GetAtt"][0] for a in aliases}
    prefix = "alias/tidegate-provenance-"
    return {name.removeprefix(prefix): found[key] for name, key in own.items() if name.startswith(prefix)}


def policy(key: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["Sid"]: one for one in key["Properties"]["KeyPolicy"]["Statement"]}


def on_keys(assembly: Assembly) -> dict[str, dict[str, dict[str, Any]]]:
    """By role and action: each statement of a role's own policy that is about keys."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for stack in STACKS:
        for role in assembly.resources("AWS::IAM::Role", stack).values():
            for statement in statements(role):
                for action in listed(statement["Action"]):
                    if action.startswith("kms:"):
                        name = str(role["Properties"]["RoleName"])
                        found.setdefault(name, {})[action] = statement
    return found


def test_one_role_may_sign_with_one_key_and_only_digests(assembly: Assembly, abroad: Assembly) -> None:
    for drawn in (assembly, abroad):
        rights = on_keys(drawn)
        assert {name for name, actions in rights.items() if "kms:Sign" in actions} == {
            "tidegate-attest-release"
        }
        sign = rights["tidegate-attest-release"]["kms:Sign"]
        (current,) = [key for key in keys(drawn).values() if "Signing" in policy(key)]
        name = next(
            key
            for key, value in drawn.resources("AWS::KMS::Key").items()
            if value is not None and value == current
        )
        assert [flat(arn) for arn in listed(sign["Resource"])] == [f"<{name}.Arn>"]
        assert sign["Condition"] == DIGESTS


def test_no_role_but_two_has_any_right_on_keys(assembly: Assembly) -> None:
    rights = {name: set(actions) for name, actions in on_keys(assembly).items()}
    deployments = {f"tidegate-cloudformation-{stage}" for stage in ("staging", "production")}
    assert {name: rights.pop(name) for name in deployments} == {name: {"kms:*"} for name in deployments}
    assert rights == {
        "tidegate-attest-release": {"kms:Sign", "kms:GetPublicKey"},
        "tidegate-provision-stage": {"kms:GetPublicKey", "kms:Verify"},
    }


def test_the_key_itself_lets_nobody_else_sign(assembly: Assembly) -> None:
    """What a deployment's `kms:*` grants ends at the key's policy, which names the signer."""
    (key,) = keys(assembly).values()
    found = policy(key)
    assert set(found) == {"Administration", "Checking", "Signing"}
    signers = found["Signing"]["Condition"]["ArnEquals"]["aws:PrincipalArn"]
    assert flat(signers).endswith(":role/tidegate-attest-release")
    assert found["Signing"]["Condition"] == {"ArnEquals": {"aws:PrincipalArn": signers}, **DIGESTS}
    assert found["Signing"]["Action"] == "kms:Sign"
    others = {action for sid in ("Administration", "Checking") for action in listed(found[sid]["Action"])}
    assert not others & {"kms:Sign", "kms:CreateGrant", "kms:*"}
    assert not [action for action in others if "*" in action]


def test_a_key_is_one_for_signatures_and_outlives_the_stack(assembly: Assembly) -> None:
    for key in assembly.resources("AWS::KMS::Key").values():
        assert (key["Properties"]["KeySpec"], key["Properties"]["KeyUsage"]) == (
            "ECC_NIST_P256",
            "SIGN_VERIFY",
        )
        assert key["DeletionPolicy"] == key["UpdateReplacePolicy"] == "Retain"


def test_the_last_key_signs_and_all_are_trusted(abroad: Assembly) -> None:
    found = keys(abroad)
    assert list(found) == ["first", "second"]
    assert ["Signing" in policy(key) for key in found.values()] == [False, True]
    ids = list(abroad.resources("AWS::KMS::Key"))
    aliases = [one["Properties"] for one in abroad.resources("AWS::KMS::Alias").values()]
    (current,) = [one for one in aliases if one["AliasName"] == "alias/tidegate-provenance"]
    assert current["TargetKeyId"]["Fn::GetAtt"][0] == ids[1]
    functions = abroad.resources("AWS::Lambda::Function").values()
    provision = next(f for f in functions if f["Properties"]["FunctionName"] == "tidegate-provision-stage")
    variables = provision["Properties"]["Environment"]["Variables"]
    assert flat(variables["TIDEGATE_TRUSTED_KEYS"]) == ",".join(f"<{name}.Arn>" for name in ids)
    verify = on_keys(abroad)["tidegate-provision-stage"]["kms:Verify"]
    assert [flat(arn) for arn in verify["Resource"]] == [f"<{name}.Arn>" for name in ids]


def test_no_deployment_touches_the_keys(assembly: Assembly) -> None:
    (boundary,) = assembly.resources("AWS::IAM::ManagedPolicy", "Stage-staging").values()
    found = {one["Sid"]: one for one in boundary["Properties"]["PolicyDocument"]["Statement"]}
    denied = found["TidegatesOwnKeys"]
    assert (denied["Effect"], denied["Action"], denied["Resource"]) == ("Deny", "kms:*", "*")
    assert denied["Condition"] == {"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/tidegate-*"}}


def test_artifacts_are_locked_where_it_is_configured(assembly: Assembly, abroad: Assembly) -> None:
    for drawn, days in ((assembly, None), (abroad, 400)):
        for stack in STACKS:
            for bucket in drawn.resources("AWS::S3::Bucket", stack).values():
                properties = bucket["Properties"]
                locked = days is not None and "-artifacts-" in flat(properties["BucketName"])
                assert properties.get("ObjectLockEnabled", False) is locked
                rule = properties.get("ObjectLockConfiguration", {}).get("Rule", {}).get("DefaultRetention")
                assert rule == ({"Mode": "GOVERNANCE", "Days": days} if locked else None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"signing_keys": ["a", "a"]}, "a is named twice"),
        ({"signing_keys": []}, "at least 1 item"),
        ({"object_lock": {"days": 0}}, "greater than or equal to 1"),
    ],
)
def test_a_wrong_configuration_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Pipeline.model_validate({"stages": STAGES, **changes})
