"""From a plan to a stack that is as planned, and back: on stacks of the local cloud."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from functions.leave_stage.handler import Request as Leave
from functions.leave_stage.handler import handle as leave
from functions.plan_release.handler import Request, handle
from functions.provision_stage.handler import Request as Provision
from functions.provision_stage.handler import handle as provision
from functions.provision_stage.previous import keep_stack
from functions.publish_versions.handler import Request as Publish
from functions.publish_versions.handler import handle as publish
from functions.restore_traffic.handler import Request as Restore
from functions.restore_traffic.handler import handle as restore
from functions.shift_traffic.handler import Request as ShiftRequest
from functions.shift_traffic.handler import handle as shift
from functions.smoke_test.handler import Request as Smoke
from functions.smoke_test.handler import handle as smoke
from functions.undo_release.handler import Request as Undo
from functions.undo_release.handler import handle as undo
from tests.scene import TEMPLATE, attempt, eventually
from tidegate.adapters.documents import stage_prefix
from tidegate.adapters.plans import find_rollout, read_plan
from tidegate.adapters.stack_trees import list_resources
from tidegate.adapters.stacks import find_stack, read_template
from tidegate.domain.errors import (
    ChangeSetFailed,
    ChangeSetsPending,
    ClaimLost,
    InvalidConfiguration,
)
from tidegate.domain.ledger import Failure
from tidegate.domain.rollouts import Pointing
from tidegate.domain.undo import PreviousStack

if TYPE_CHECKING:
    from tests.scene import Scene
    from tidegate.domain.plans import Plan, StagePlan
    from tidegate.domain.rollouts import RollingFunction

FAILURE = Failure(state="JudgeCanary", error="CanaryFailed", cause="bad")
BROKEN = """
  Bad:
    Type: AWS::SNS::Subscription
    Properties: {TopicArn: "arn:aws:sns:us-east-1:123456789012:nowhere", Protocol: sqs, Endpoint: x}
"""


def plan(scene: Scene) -> Plan:
    def planned() -> Any:
        try:
            return handle(Request(release=scene.ref), scene.tools)
        except ChangeSetsPending:
            return None

    response = eventually(planned)
    assert response.stages == (scene.staging, scene.production)
    return read_plan(scene.tools.documents, scene.ref)


def provision_all(scene: Scene, stage: str) -> None:
    request = Provision(release=scene.ref, stage=stage)
    eventually(lambda: attempt(lambda: provision(request, scene.tools)))


def first_release(scene: Scene) -> Plan:
    """Both stages come up from nothing."""
    scene.open()
    scene.sam(1)
    found = plan(scene)
    for stage in (scene.staging, scene.production):
        provision_all(scene, stage)
    return found


def roll(scene: Scene, stage: str) -> RollingFunction:
    response = publish(Publish(release=scene.ref, stage=stage), scene.tools)
    assert response.rolling == 1
    rollout = find_rollout(scene.tools.documents, scene.ref, stage)
    assert rollout is not None
    return rollout.functions[0]


def undo_all(scene: Scene) -> int:
    looks = [0]

    def undone() -> bool:
        looks[0] += 1
        return undo(Undo(release=scene.ref, failure=FAILURE), scene.tools).undone

    eventually(undone)
    return looks[0]


def code_of(scene: Scene, stage_plan: StagePlan) -> dict[str, Any]:
    client = scene.tools.stage(stage_plan.stage).cloudformation
    template = json.loads(read_template(client, stage_plan.stack_name))
    code: dict[str, Any] = template["Resources"]["Place"]["Properties"]["Code"]
    return code


def test_a_first_release_brings_both_stages_up_at_once(scene: Scene) -> None:
    found = first_release(scene)
    for stage in found.stages:
        assert stage.creates_stack
        (function,) = stage.functions
        assert not function.canaried
        assert function.artifact == f"{1:064x}"
        client = scene.tools.stage(stage.stage).cloudformation
        resources = list_resources(client, stage.stack_name)
        assert resources[function.alias_logical_id].endswith(":live")
        previous = scene.tools.documents.read(
            f"{stage_prefix(scene.ref, stage.stage)}previous.json", PreviousStack
        )
        assert not previous.existed
        assert find_stack(client, f"tidegate-guard-{scene.service}-{stage.stage}") is None
    response = publish(Publish(release=scene.ref, stage=scene.staging), scene.tools)
    assert (response.rolling, response.first_weight) == (0, 100)
    text = scene.tools.documents.find_bytes(f"releases/{scene.service}/{scene.ref.id}/plan.md") or b""
    assert b"is created" in text


def test_a_second_release_is_canaried_guarded_and_taken_back_whole(scene: Scene) -> None:
    first_release(scene)
    scene.next_release()
    scene.sam(2)
    found = plan(scene)
    production = found.stage(scene.production)
    (function,) = production.functions
    assert (function.canaried, function.alias, function.rollback_target) == (True, "live", "1")
    assert not production.creates_stack
    provision_all(scene, scene.production)
    client = scene.tools.stage(scene.production).cloudformation
    guard = find_stack(client, f"tidegate-guard-{scene.service}-{scene.production}")
    assert guard is not None
    assert guard.is_healthy
    assert guard.tags["tidegate:release"] == scene.ref.id
    rolling = roll(scene, scene.production)
    assert (rolling.stable, rolling.canary) == ("1", "2")
    assert roll(scene, scene.production) == rolling
    shift(ShiftRequest(release=scene.ref, stage=scene.production, weight=10, step=0), scene.tools)
    assert scene.pointing(rolling) == Pointing(version="1", weights={"2": 0.1})
    assert code_of(scene, production)["S3Key"] == f"artifacts/{2:064x}.zip"

    restore(Restore(release=scene.ref, failure=FAILURE), scene.tools)
    assert scene.pointing(rolling) == Pointing(version="1")
    assert undo_all(scene) > 1
    assert code_of(scene, production)["S3Key"] == f"artifacts/{1:064x}.zip"
    assert scene.pointing(rolling) == Pointing(version="1")
    eventually(lambda: find_stack(client, f"tidegate-guard-{scene.service}-{scene.production}") is None)
    assert undo_all(scene) == 1
    staging = scene.tools.stage(scene.staging).cloudformation
    description = staging.describe_change_set
    with pytest.raises(Exception, match="does not exist"):
        description(StackName=found.stage(scene.staging).stack_name, ChangeSetName=f"tidegate-{scene.ref.id}")


def test_a_function_that_no_release_has_left_the_stage_with_is_planned_and_probed_again(
    scene: Scene,
) -> None:
    first_release(scene)
    scene.next_release()
    scene.sam(1)
    found = plan(scene)
    for stage in found.stages:
        assert (stage.change_set, [f.logical_id for f in stage.functions]) == (None, ["Place"])
    provision_all(scene, scene.staging)
    assert publish(Publish(release=scene.ref, stage=scene.staging), scene.tools).rolling == 0
    assert smoke(Smoke(release=scene.ref, stage=scene.staging), scene.tools).invocations == 1


def test_the_same_source_again_changes_nothing(scene: Scene) -> None:
    first_release(scene)
    for stage in (scene.staging, scene.production):
        leave(Leave(release=scene.ref, stage=stage), scene.tools)
    scene.next_release()
    scene.sam(1)
    found = plan(scene)
    assert all(stage.change_set is None and stage.functions == () for stage in found.stages)
    provision_all(scene, scene.production)
    assert scene.told()[-1].endswith("is unchanged")
    assert publish(Publish(release=scene.ref, stage=scene.production), scene.tools).rolling == 0
    assert undo_all(scene) == 1


def test_a_stack_that_fails_keeps_its_traffic_and_names_the_resource(scene: Scene) -> None:
    first_release(scene)
    scene.next_release()
    scene.sam(2, template_text=TEMPLATE + BROKEN)
    plan(scene)
    with pytest.raises(ChangeSetFailed, match="UPDATE_ROLLBACK_COMPLETE: Bad"):
        provision_all(scene, scene.production)
    assert undo_all(scene) >= 1


def test_an_undo_that_fails_needs_an_operator(scene: Scene) -> None:
    """The way back was executed and CloudFormation rolled it back: the stack still has the new template."""
    first_release(scene)
    scene.next_release()
    scene.sam(2)
    found = plan(scene)
    provision_all(scene, scene.production)
    key = f"{stage_prefix(scene.ref, scene.production)}previous.json"
    previous = scene.tools.documents.read(key, PreviousStack)
    template = json.loads(previous.template)
    template["Resources"]["Bad"] = {
        "Type": "AWS::SNS::Subscription",
        "Properties": {
            "TopicArn": "arn:aws:sns:us-east-1:123456789012:gone",
            "Protocol": "sqs",
            "Endpoint": "x",
        },
    }
    scene.tools.documents.write(key, previous.model_copy(update={"template": json.dumps(template)}))
    with pytest.raises(ChangeSetFailed, match="UPDATE_ROLLBACK_COMPLETE: Bad"):
        undo_all(scene)
    assert code_of(scene, found.stage(scene.production))["S3Key"] == f"artifacts/{2:064x}.zip"
    with pytest.raises(ChangeSetFailed):
        undo(Undo(release=scene.ref, failure=FAILURE), scene.tools)


def test_what_was_only_planned_is_forgotten(scene: Scene) -> None:
    """A first release that ends before its stages leaves no empty stacks behind."""
    scene.open()
    scene.sam(1)
    found = plan(scene)
    undo_all(scene)
    for stage in found.stages:
        client = scene.tools.stage(stage.stage).cloudformation
        eventually(lambda c=client, s=stage: find_stack(c, s.stack_name) is None)


def test_a_first_release_that_failed_can_be_followed_by_another(scene: Scene) -> None:
    scene.open()
    scene.sam(1, template_text=TEMPLATE + BROKEN)
    plan(scene)
    with pytest.raises(ChangeSetFailed, match="ROLLBACK_COMPLETE"):
        provision_all(scene, scene.staging)
    undo_all(scene)
    scene.next_release()
    scene.sam(1)
    found = plan(scene)
    assert found.stage(scene.staging).creates_stack
    provision_all(scene, scene.staging)


def test_a_parameter_that_the_template_does_not_have_is_named(scene: Scene) -> None:
    scene.open()
    config = {"stages": {scene.staging: {"parameters": {"Size": "1"}}}}
    scene.sam(1, config=config)
    with pytest.raises(InvalidConfiguration, match="the template has no parameter Size; it has none"):
        handle(Request(release=scene.ref), scene.tools)


def test_a_change_set_that_cannot_be_computed_says_why(scene: Scene) -> None:
    scene.open()
    scene.sam(1, template_text=TEMPLATE + "      MemorySize: !Ref Nowhere\n")
    with pytest.raises(ChangeSetFailed, match="Nowhere"):
        plan(scene)


def ask(scene: Scene) -> list[str]:
    """Begin to plan; gives production's change sets that wait."""
    with pytest.raises(ChangeSetsPending):
        handle(Request(release=scene.ref), scene.tools)
    return list_waiting(scene)


def list_waiting(scene: Scene) -> list[str]:
    client = scene.tools.stage(scene.production).cloudformation
    found = client.list_change_sets(StackName=f"{scene.service}-{scene.production}")["Summaries"]
    return [one["ChangeSetName"] for one in found if one["ExecutionStatus"] != "EXECUTE_COMPLETE"]


def test_a_first_release_that_ends_before_its_plan_leaves_no_stack(scene: Scene) -> None:
    scene.open()
    assert undo_all(scene) == 1
    scene.sam(1)
    assert ask(scene) == [f"tidegate-{scene.ref.id}"]
    undo_all(scene)
    client = scene.tools.stage(scene.production).cloudformation
    eventually(lambda: find_stack(client, f"{scene.service}-{scene.production}") is None)


def test_a_release_that_ends_before_its_plan_leaves_no_change_set(scene: Scene) -> None:
    first_release(scene)
    scene.next_release()
    scene.sam(2)
    assert ask(scene) == [f"tidegate-{scene.ref.id}"]
    undo_all(scene)
    assert list_waiting(scene) == []
    state = find_stack(
        scene.tools.stage(scene.production).cloudformation, f"{scene.service}-{scene.production}"
    )
    assert state is not None
    assert state.is_healthy


def test_a_change_set_that_is_still_computed_is_awaited_before_it_is_forgotten(scene: Scene) -> None:
    """One stage's plan failed while the other's is computed: CloudFormation refuses to delete that."""
    first_release(scene)
    scene.next_release()
    scene.sam(2)
    ask(scene)
    client: Any = scene.tools.stage(scene.production).cloudformation
    describe, delete = client.describe_change_set, client.delete_change_set
    waiting = ["CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS"]

    def describe_slowly(**arguments: Any) -> Any:
        return {**describe(**arguments), "Status": waiting[0]}

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "InvalidChangeSetStatus", "Message": ""}}, "DeleteChangeSet")

    client.describe_change_set, client.delete_change_set = describe_slowly, refuse
    while waiting:
        assert not undo(Undo(release=scene.ref, failure=FAILURE), scene.tools).undone
        waiting.pop(0)
    client.describe_change_set, client.delete_change_set = describe, delete
    undo_all(scene)
    assert list_waiting(scene) == []


def test_a_change_set_that_was_about_to_be_executed_goes_as_well(scene: Scene) -> None:
    """A handler that is held up past the undo must find nothing left to execute."""
    first_release(scene)
    scene.next_release()
    scene.sam(2)
    stage = plan(scene).stage(scene.production)
    keep_stack(scene.ref, stage, "previous", scene.tools)
    assert stage.change_set in list_waiting(scene)
    undo_all(scene)
    assert stage.change_set not in list_waiting(scene)


def test_a_plan_that_is_taken_back_in_its_midst_asks_for_nothing(scene: Scene) -> None:
    scene.open()
    scene.sam(1)
    documents = scene.tools.documents
    write = documents.write_bytes

    def write_late(key: str, body: bytes, content_type: str) -> None:
        write(key, body, content_type)
        scene.lose()

    documents.write_bytes = write_late  # type: ignore[method-assign]
    with pytest.raises(ClaimLost):
        handle(Request(release=scene.ref), scene.tools)
    client = scene.tools.stage(scene.staging).cloudformation
    assert find_stack(client, f"{scene.service}-{scene.staging}") is None


def test_without_the_claim_nothing_is_planned_provisioned_or_undone(scene: Scene) -> None:
    scene.open()
    scene.sam(1)
    scene.plan()
    scene.lose()
    for call in (
        lambda: handle(Request(release=scene.ref), scene.tools),
        lambda: provision(Provision(release=scene.ref, stage=scene.staging), scene.tools),
        lambda: publish(Publish(release=scene.ref, stage=scene.staging), scene.tools),
        lambda: undo(Undo(release=scene.ref, failure=FAILURE), scene.tools),
    ):
        with pytest.raises(ClaimLost):
            call()
