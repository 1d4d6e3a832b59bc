"""What a release takes away from the stable version's role, from the plan to the bake's end, and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from functions.leave_stage.handler import Request as Leave
from functions.leave_stage.handler import handle as leave
from functions.leave_stage.holds import MOST_LOOKS, let_go
from functions.provision_stage.guards import arm
from functions.provision_stage.handler import Request as Provision
from functions.provision_stage.handler import handle as provision
from functions.provision_stage.holds import hold as hold_rights
from tests.functions.test_plan_release import plan, provision_all, undo_all
from tests.scene import TEMPLATE, attempt, eventually
from tidegate.adapters.documents import stage_prefix
from tidegate.adapters.healthy import find_healthy
from tidegate.adapters.stacks import create, find_stack
from tidegate.domain.errors import ChangeSetFailed, ClaimLost, HoldsPending
from tidegate.domain.guards import guard_name
from tidegate.domain.holds import POLICY, hold_name

if TYPE_CHECKING:
    from tests.scene import Scene
    from tidegate.domain.plans import StagePlan

READ = {"Effect": "Allow", "Action": ["dynamodb:GetItem", "dynamodb:Query"], "Resource": "*"}
SEND = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": {"Fn::GetAtt": ["Queue", "Arn"]}}
LOG = {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}
QUEUE = "\n  Queue: {Type: AWS::SQS::Queue}\n"


def template(*statements: Any, rest: str = QUEUE, **properties: Any) -> str:
    policies = {"Policies": [{"Statement": list(statements)}], **properties}
    lines = "".join(f"      {key}: {json.dumps(value)}\n" for key, value in policies.items())
    return TEMPLATE + lines + rest


def release(scene: Scene, number: int, text: str) -> StagePlan:
    """Plan the release of this template; gives production's part."""
    if number == 1:
        scene.open()
    else:
        scene.next_release(str(number) * 40)
    scene.sam(number, template_text=text)
    return plan(scene).stage(scene.production)


def start(scene: Scene, text: str) -> None:
    """Production runs this, by an earlier release."""
    release(scene, 1, text)
    provision_all(scene, scene.production)
    leave_all(scene)


def leave_all(scene: Scene) -> None:
    def left() -> bool:
        try:
            leave(Leave(release=scene.ref, stage=scene.production), scene.tools)
        except HoldsPending:
            return False
        return True

    eventually(left)


def rights(scene: Scene) -> dict[str, list[Any]]:
    """The statements of the role's inline policies by name, as the account has them."""
    iam, name = scene.cloud.client("iam"), scene.standing()["PlaceRole"]
    return {
        policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]["Statement"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    }


def queue_arn(scene: Scene) -> str:
    name = scene.standing()["Queue"].rpartition("/")[2]
    return f"arn:aws:sqs:us-east-1:123456789012:{name}"


def hold(scene: Scene) -> Any:
    return find_stack(scene.cloud.client("cloudformation"), hold_name(scene.service, scene.production))


def told_of(scene: Scene, words: str) -> list[str]:
    return [what for what in scene.told() if words in what]


def test_a_statement_that_goes_is_held_to_the_end_of_the_bake(scene: Scene) -> None:
    start(scene, template(READ, SEND))
    found = release(scene, 2, template(READ))
    assert found.held_roles == ("PlaceRole",)
    assert found.held == (f"PlaceRole: sqs:sendmessage on {queue_arn(scene)}",)
    text = scene.tools.documents.find_bytes(f"releases/{scene.service}/{scene.ref.id}/plan.md") or b""
    assert f"Held until after the bake:\n\n- {found.held[0]}" in text.decode()
    provision_all(scene, scene.production)
    held = {"Effect": "Allow", "Action": "sqs:sendmessage", "Resource": queue_arn(scene)}
    assert rights(scene)[POLICY] == [held]
    assert not any("sqs" in str(statement) for name, statement in rights(scene).items() if name != POLICY)
    assert told_of(scene, "roles keep until after the bake what they lose")
    leave_all(scene)
    assert POLICY not in rights(scene)
    assert hold(scene) is None
    assert told_of(scene, "what was held is taken away")
    leave(Leave(release=scene.ref, stage=scene.production), scene.tools)


def test_an_undone_release_gives_the_role_its_statement_back_and_holds_no_more(scene: Scene) -> None:
    start(scene, template(READ, SEND))
    release(scene, 2, template(READ))
    provision_all(scene, scene.production)
    undo_all(scene)
    assert any("sqs" in str(statement) for statement in rights(scene).values())
    assert POLICY not in rights(scene)
    assert hold(scene) is None
    assert told_of(scene, "the roles have it by themselves again")
    assert undo_all(scene) == 1


def test_a_release_that_only_adds_holds_nothing(scene: Scene) -> None:
    start(scene, template(READ))
    found = release(scene, 2, template(SEND, READ))
    assert (found.held, found.held_roles) == ((), ())
    provision_all(scene, scene.production)
    assert hold(scene) is None


def test_a_detached_managed_policy_is_held_by_its_statements(scene: Scene) -> None:
    arn = scene.cloud.client("iam").create_policy(
        PolicyName=scene.unique, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [READ]})
    )["Policy"]["Arn"]
    start(scene, TEMPLATE + f"      Policies: [{arn}]\n")
    found = release(scene, 2, TEMPLATE)
    assert found.held == ("PlaceRole: dynamodb:getitem on *; dynamodb:query on *",)
    provision_all(scene, scene.production)
    assert [statement["Action"] for statement in rights(scene)[POLICY]] == [
        ["dynamodb:getitem", "dynamodb:query"]
    ]


def test_a_new_denial_is_named_as_taking_effect_at_once(scene: Scene) -> None:
    start(scene, template(READ))
    found = release(scene, 2, template(READ, {**READ, "Effect": "Deny"}))
    assert "PlaceRole: it denies dynamodb:getitem on *" in found.at_once
    assert found.held == ()


def test_what_somebody_takes_from_the_role_after_the_plan_is_not_given_back(scene: Scene) -> None:
    start(scene, template(READ, SEND))
    found = release(scene, 2, template(LOG))
    assert len(found.held) == 1
    iam, name = scene.cloud.client("iam"), scene.standing()["PlaceRole"]
    (policy,) = iam.list_role_policies(RoleName=name)["PolicyNames"]
    document = {"Version": "2012-10-17", "Statement": [READ]}
    iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))
    provision_all(scene, scene.production)
    assert [one["Resource"] for one in rights(scene)[POLICY]] == ["*"]


def test_what_an_earlier_release_has_left_goes_first(scene: Scene) -> None:
    start(scene, template(READ))
    leave_behind(scene)
    release(scene, 2, template(READ))
    provision_all(scene, scene.production)
    assert hold(scene) is None
    leave_behind(scene)
    release(scene, 3, template(LOG))
    provision_all(scene, scene.production)
    assert hold(scene).tags["tidegate:release"] == scene.ref.id
    assert POLICY in rights(scene)


def test_a_handler_that_is_held_up_past_an_undo_stands_nothing_up_and_takes_nothing_away(
    scene: Scene,
) -> None:
    start(scene, template(READ, SEND))
    stage = release(scene, 2, template(READ))
    assert stage.canaried
    leave_behind(scene)
    scene.lose()
    for late in (hold_rights, arm, let_go):
        with pytest.raises(ClaimLost):
            late(scene.ref, stage, scene.tools)
    assert hold(scene).tags["tidegate:release"] == "old-1"
    with pytest.raises(ClaimLost):
        hold_rights(scene.ref, stage.model_copy(update={"held_roles": ()}), scene.tools)
    assert hold(scene).is_healthy
    client = scene.cloud.client("cloudformation")
    assert find_stack(client, guard_name(scene.service, scene.production)) is None


def leave_behind(scene: Scene) -> None:
    """A side stack of some earlier release."""
    stage = scene.tools.stage(scene.production)
    body = b'{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}'
    stage.documents.write_bytes("left.json", body, "application/json")
    name, role = hold_name(scene.service, scene.production), stage.target.cloudformation_role
    create(stage.cloudformation, name, stage.documents.url("left.json"), role, {"tidegate:release": "old-1"})
    eventually(lambda: hold(scene).is_healthy)


def test_a_hold_that_cannot_be_made_ends_the_release_before_anything_changes(scene: Scene) -> None:
    start(scene, template(READ, SEND))
    release(scene, 2, template(READ))
    role = scene.standing()["PlaceRole"]
    request = Provision(release=scene.ref, stage=scene.production)
    attempt(lambda: provision(request, scene.tools))  # what is held has been read
    before = find_stack(scene.cloud.client("cloudformation"), f"{scene.service}-{scene.production}")
    key = f"{stage_prefix(scene.ref, scene.production)}holds-placed.json"
    text = (scene.tools.documents.find_bytes(key) or b"").replace(role.encode(), b"nobody")
    scene.tools.documents.write_bytes(key, text)
    eventually(lambda: hold(scene).is_healthy)
    scene.cloud.client("cloudformation").delete_stack(StackName=hold_name(scene.service, scene.production))
    eventually(lambda: hold(scene) is None)
    with pytest.raises(ChangeSetFailed, match="could not be made"):
        eventually(lambda: attempt(lambda: provision(request, scene.tools)))
    assert find_stack(scene.cloud.client("cloudformation"), f"{scene.service}-{scene.production}") == before
    undo_all(scene)
    eventually(lambda: hold(scene) is None)


def test_a_healthy_release_is_left_even_if_the_hold_never_goes(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(scene, template(READ, SEND))
    release(scene, 2, template(READ))
    provision_all(scene, scene.production)
    client = scene.tools.stage(scene.production).cloudformation
    monkeypatch.setattr(client, "delete_stack", lambda **_: None)
    request = Leave(release=scene.ref, stage=scene.production)
    for _ in range(MOST_LOOKS):
        with pytest.raises(HoldsPending):
            leave(request, scene.tools)
    leave(request, scene.tools)
    assert told_of(scene, "what was held is not taken away")
    healthy = find_healthy(scene.tools.ledger, scene.tools.documents, scene.service, scene.production)
    assert healthy is not None
    assert healthy.release_id == scene.ref.id
