"""Going back to any release whose versions are kept, on stacks of the local cloud."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from functions.complete_release.handler import Request as Complete
from functions.complete_release.handler import handle as complete
from functions.diagnose_rollback.handler import Request as Diagnose
from functions.diagnose_rollback.handler import Response as Diagnosed
from functions.diagnose_rollback.handler import handle as diagnose
from functions.diagnose_rollback.ways import find_obstacle
from functions.leave_stage.handler import Request as Leave
from functions.leave_stage.handler import handle as leave
from functions.plan_release.handler import Request as Plan
from functions.plan_release.handler import handle as plan
from functions.provision_stage.handler import Request as Provision
from functions.provision_stage.handler import handle as provision
from functions.publish_versions.handler import Request as Publish
from functions.publish_versions.handler import handle as publish
from functions.shift_traffic.handler import Request as Shift
from functions.shift_traffic.handler import handle as shift
from functions.undo_release.handler import Request as Undo
from functions.undo_release.handler import handle as undo
from functions.verify_recovery.handler import Request as Verify
from functions.verify_recovery.handler import Response as Verified
from functions.verify_recovery.handler import handle as verify
from tests.scene import TEMPLATE, attempt, eventually
from tidegate.adapters.healthy import find_healthy, list_ways
from tidegate.adapters.plans import read_plan
from tidegate.adapters.stack_trees import list_aliases
from tidegate.adapters.stacks import read_template
from tidegate.domain.errors import ChangeSetsPending, VersionsPending
from tidegate.domain.ledger import ClaimState, Outcome

if TYPE_CHECKING:
    from tests.scene import Scene
    from tidegate.domain.ledger import Release

TABLE = """
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
"""
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:tidegate-rollback:operator-1"


def begin(scene: Scene, number: int, template: str = TEMPLATE) -> str:
    """The next release, planned; its commit's digits are its number's."""
    digit = f"{number:x}"
    if scene.tools.ledger.read_claim(scene.service) is None:
        scene.ref = scene.make_ref(release_id=f"{digit * 12}-1")
        scene.commit = scene.commit.model_copy(update={"id": digit * 40})
        scene.open()
    else:
        claim = scene.tools.ledger.read_claim(scene.service)
        assert claim is not None
        scene.ref = scene.ref.model_copy(update={"epoch": claim.epoch})
        scene.next_release(digit * 40)
    scene.sam(number, template_text=template)

    def planned() -> Any:
        try:
            return plan(Plan(release=scene.ref), scene.tools)
        except ChangeSetsPending:
            return None

    eventually(planned)
    return scene.ref.id


def roll(scene: Scene, stage: str, weight: int = 100) -> None:
    request = Provision(release=scene.ref, stage=stage)
    eventually(lambda: attempt(lambda: provision(request, scene.tools)))
    if publish(Publish(release=scene.ref, stage=stage), scene.tools).rolling:
        shift(Shift(release=scene.ref, stage=stage, weight=weight, step=0), scene.tools)


def release(scene: Scene, number: int, template: str = TEMPLATE) -> str:
    """A whole release, promoted in both stages."""
    found = begin(scene, number, template)
    for stage in (scene.staging, scene.production):
        roll(scene, stage)
        leave(Leave(release=scene.ref, stage=stage), scene.tools)
    complete(Complete(release=scene.ref), scene.tools)
    return found


def order(scene: Scene, to: str, *stages: str, execution: str = EXECUTION) -> Diagnosed:
    detail = {"service": scene.service, "reason": "it smells", "to": to, "stages": list(stages)}
    event = {"detail-type": "Rollback Requested", "detail": detail}
    return diagnose(Diagnose(event=event, execution=execution), scene.tools)


def finish(scene: Scene, found: Diagnosed) -> Verified:
    """Undo and verify until it has ended; the scene's release is the order then."""
    assert found.release is not None
    assert found.failure is not None
    scene.ref, failure = found.release, found.failure
    eventually(lambda: undo(Undo(release=scene.ref, failure=failure), scene.tools).undone)
    request = Verify(release=scene.ref, failure=failure, undone=True, looks=0)

    def ended() -> Any:
        response = verify(request, scene.tools)
        return response if response.status != "verifying" else None

    response: Verified = eventually(ended)
    return response


def answers(scene: Scene, stage: str) -> int:
    name, alias = aliases(scene, stage)["Place"]
    body = scene.lambdas.invoke(FunctionName=name, Qualifier=alias)["Payload"].read()
    found: int = json.loads(body)
    return found


def aliases(scene: Scene, stage: str) -> dict[str, tuple[str, str]]:
    return list_aliases(scene.tools.stage(stage).cloudformation, f"{scene.service}-{stage}")


def code(scene: Scene, stage: str) -> str:
    client = scene.tools.stage(stage).cloudformation
    template = json.loads(read_template(client, f"{scene.service}-{stage}"))
    key: str = template["Resources"]["Place"]["Properties"]["Code"]["S3Key"]
    return key


def records(scene: Scene) -> dict[str, Release]:
    return {one.ref.id: one for one in scene.tools.ledger.releases(scene.service)}


def ways(scene: Scene, stage: str) -> list[str]:
    return list(list_ways(scene.tools.ledger, scene.tools.documents, scene.service, stage))


def test_back_over_several_releases_and_forward_again(scene: Scene) -> None:
    first, second, third = (release(scene, number) for number in (1, 2, 3))
    assert answers(scene, scene.production) == 3
    assert ways(scene, scene.production) == [third, second, first]

    found = order(scene, first)
    assert found.action == "restored"
    assert {answers(scene, stage) for stage in (scene.staging, scene.production)} == {1}
    scene.listen()
    assert finish(scene, found).status == "restored"
    told = {event["detail-type"]: event["detail"]["release"] for event in (scene.heard(), scene.heard())}
    assert told == {"Release Restored": "111111111111-2", "Release Rolled Back": third}
    assert code(scene, scene.production) == f"artifacts/{1:064x}.zip"
    order_id = scene.ref.id
    assert order_id == "111111111111-2"
    known = records(scene)
    assert (known[order_id].outcome, known[order_id].restores) == (Outcome.RESTORED, first)
    assert known[third].outcome is Outcome.ROLLED_BACK
    assert f"went back to release {first} by order {order_id}" in known[third].reason
    assert known[second].outcome is Outcome.PROMOTED
    claim = scene.tools.ledger.read_claim(scene.service)
    assert claim is not None
    assert claim.state is ClaimState.FREE
    assert ways(scene, scene.production) == [first, third, second]
    told = scene.told()
    assert told[0] == f"going back to release {first}: it smells"
    assert f"stack {scene.service}-{scene.production} is back on the template of {first}" in told[2]

    again = order(scene, third, execution=f"{EXECUTION}b")
    assert finish(scene, again).status == "restored"
    assert answers(scene, scene.production) == 3
    assert ways(scene, scene.production) == [third, first, second]

    release(scene, 4)
    assert answers(scene, scene.production) == 4


def test_a_stack_that_cannot_go_back_safely_is_left_and_named(scene: Scene) -> None:
    """A table that came since holds orders by now. The next release rolls whatever the stack is ahead of."""
    first = release(scene, 1)
    second = release(scene, 2, TEMPLATE + TABLE)
    found = order(scene, first)
    assert finish(scene, found).status == "restored"
    assert answers(scene, scene.production) == 1
    assert code(scene, scene.production) == f"artifacts/{2:064x}.zip"
    said = "Orders (AWS::DynamoDB::Table) has come since and would be deleted, with what it holds"
    assert f"stack {scene.service}-{scene.production} is left as it is: {said}" in scene.told()[2]
    healthy = find_healthy(scene.tools.ledger, scene.tools.documents, scene.service, scene.production)
    assert healthy is not None
    assert (healthy.label, healthy.unproven) == (first, ("Place",))

    begin(scene, 2, TEMPLATE + TABLE)
    scene.tools.ledger.free_claim(scene.ref)
    production = read_plan(scene.tools.documents, scene.ref).stage(scene.production)
    assert [function.logical_id for function in production.functions] == ["Place"]
    assert second == scene.ref.id


def test_what_runs_is_taken_back_first(scene: Scene) -> None:
    first = release(scene, 1)
    second = release(scene, 2)
    third = begin(scene, 3)
    roll(scene, scene.staging)
    leave(Leave(release=scene.ref, stage=scene.staging), scene.tools)
    roll(scene, scene.production, weight=10)
    refused = order(scene, third, scene.staging)
    assert refused.reason == f"release {third} is under way: take it back first"

    found = order(scene, first)
    assert found.action == "restored"
    assert {answers(scene, stage) for stage in (scene.staging, scene.production)} == {1}
    assert finish(scene, found).status == "restored"
    assert records(scene)[third].outcome is Outcome.ROLLED_BACK
    assert records(scene)[second].outcome is Outcome.PROMOTED
    for stage in (scene.staging, scene.production):
        assert ways(scene, stage) == [first, second]
        assert code(scene, stage) == f"artifacts/{1:064x}.zip"


def test_one_stage_alone(scene: Scene) -> None:
    first, second = release(scene, 1), release(scene, 2)
    assert finish(scene, order(scene, first, scene.staging)).status == "restored"
    assert (answers(scene, scene.staging), answers(scene, scene.production)) == (1, 2)
    assert (ways(scene, scene.staging)[0], ways(scene, scene.production)[0]) == (first, second)


def test_an_order_that_died_is_gone_on_with_or_overtaken(scene: Scene) -> None:
    first, second, third = (release(scene, number) for number in (1, 2, 3))
    begun = order(scene, first)
    again = order(scene, first)
    assert (again.action, again.release) == ("restored", begun.release)
    assert len([one for one in records(scene).values() if one.restores]) == 1

    found = order(scene, second, execution=f"{EXECUTION}b")
    assert begun.release is not None
    assert records(scene)[begun.release.id].outcome is Outcome.SUPERSEDED
    assert finish(scene, found).status == "restored"
    assert answers(scene, scene.production) == 2
    assert records(scene)[third].outcome is Outcome.ROLLED_BACK
    plain = {"detail-type": "Rollback Requested", "detail": {"service": scene.service}}
    ignored = diagnose(Diagnose(event=plain, execution=f"{EXECUTION}c"), scene.tools)
    assert ignored.action == "ignore"
    assert ignored.reason.endswith("is restored already; name a release to go back to with --to")


def test_there_is_no_way_to_what_is_not_kept(scene: Scene) -> None:
    first, second = release(scene, 1), release(scene, 2)
    refused = order(scene, "aaaaaaaaaaaa-1")
    assert refused.action == "ignore"
    assert refused.reason == (
        f"{scene.staging} cannot go back to aaaaaaaaaaaa-1: it can go to {second}, {first}"
    )
    assert order(scene, first, "nowhere").reason.startswith("there is no stage nowhere")
    name, _ = aliases(scene, scene.production)["Place"]
    scene.lambdas.delete_function(FunctionName=name, Qualifier="1")
    refused = order(scene, first)
    assert refused.reason == (
        f"{scene.service} cannot go back to {first}: {name} version 1 in {scene.production} is gone"
    )
    assert answers(scene, scene.production) == 2
    claim = scene.tools.ledger.read_claim(scene.service)
    assert claim is not None
    assert claim.state is ClaimState.FREE


class Sleeper:
    """Lambda with a version that was idle for weeks: a request fails and sets it up again."""

    def __init__(self) -> None:
        self.state, self.asked = "Inactive", 0

    def get_function(self, **_: Any) -> Any:
        found = {"FunctionName": "place", "Version": "1", "State": self.state, "CodeSha256": "x"}
        self.state = "Active" if self.state == "Pending" else self.state
        return {"Configuration": found}

    def invoke(self, **_: Any) -> Any:
        from botocore.exceptions import ClientError

        self.state, self.asked = "Pending", self.asked + 1
        raise ClientError({"Error": {"Code": "ResourceNotReadyException", "Message": ""}}, "Invoke")


def test_a_version_that_sleeps_is_woken_before_traffic_moves(scene: Scene) -> None:
    first = release(scene, 1)
    way = {
        stage: list_ways(scene.tools.ledger, scene.tools.documents, scene.service, stage)[first]
        for stage in (scene.production,)
    }
    sleeper = Sleeper()
    vars(scene.tools.stage(scene.production))["functions"] = sleeper
    for _ in range(2):
        with pytest.raises(VersionsPending, match="version 1 can serve again"):
            find_obstacle(way, scene.tools)
    assert find_obstacle(way, scene.tools) == ""
    assert sleeper.asked == 1
