"""What a release's template drops, from the plan to the end of the bake, and back."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from functions.leave_stage.handler import Request as Leave
from functions.leave_stage.handler import handle as leave
from functions.provision_stage.handler import Request as Provision
from functions.provision_stage.handler import handle as provision
from functions.undo_release.handler import Request as Undo
from functions.undo_release.handler import handle as undo
from tests.functions.test_adoption import Death, DiedError
from tests.functions.test_holds import (
    READ,
    SEND,
    leave_all,
    release,
    rights,
    start,
    template,
    told_of,
)
from tests.functions.test_plan_release import FAILURE, plan, provision_all, roll, undo_all
from tests.scene import TEMPLATE, attempt, eventually
from tidegate.adapters.documents import exact_mark, stage_prefix
from tidegate.adapters.healthy import find_healthy
from tidegate.adapters.stacks import find_stack, read_template
from tidegate.domain.holds import POLICY
from tidegate.domain.undo import PreviousStack

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.scene import Scene
    from tidegate.adapters.documents import Documents

RULE = "  Night: {Type: AWS::Events::Rule, Properties: {ScheduleExpression: rate(1 day)}}\n"
SIZED = """
Parameters:
  Size: {Type: Number, Default: 30}
"""


def queue_of(scene: Scene) -> str:
    """The physical id of the queue as it was given at first; it must not be made anew."""
    return scene.standing().get("Queue", "")


def test_a_queue_that_is_dropped_is_there_until_the_end_of_the_bake(scene: Scene) -> None:
    start(scene, template(READ, SEND) + RULE)
    queue = queue_of(scene)
    found = release(scene, 2, template(READ, rest=""))
    assert "Queue: the AWS::SQS::Queue is removed after the bake" in found.held
    assert found.exact is not None
    assert any("Night" in text and "is removed" in text for text in found.at_once)
    provision_all(scene, scene.production)
    assert queue_of(scene) == queue
    assert "Night" not in scene.standing()
    assert roll(scene, scene.production).canary == "2"
    leave_all(scene)
    assert not queue_of(scene)
    assert told_of(scene, "what was held is taken away")
    healthy = find_healthy(scene.tools.ledger, scene.tools.documents, scene.service, scene.production)
    assert healthy is not None
    assert "Queue" not in scene.tools.documents.read(healthy.stack, PreviousStack).template
    leave(Leave(release=scene.ref, stage=scene.production), scene.tools)

    found = release(scene, 3, template(READ, rest=""))
    assert (found.held, found.exact) == ((), None)


def test_a_rollback_finds_the_queue_as_it_was(scene: Scene) -> None:
    start(scene, template(READ, SEND))
    queue = queue_of(scene)
    release(scene, 2, TEMPLATE)
    provision_all(scene, scene.production)
    undo_all(scene)
    assert queue_of(scene) == queue


def test_a_release_that_only_drops_changes_its_stack_at_the_end_and_can_be_undone(scene: Scene) -> None:
    start(scene, template(READ) + RULE.replace("Night", "Kept"))
    scene.next_release("2" * 40)
    scene.sam(1, template_text=template(READ, rest="") + RULE.replace("Night", "Kept"))
    found = plan(scene).stage(scene.production)
    assert found.change_set is None
    assert found.functions == ()
    provision_all(scene, scene.production)
    assert queue_of(scene)
    leave_all(scene)
    assert not queue_of(scene)
    undo_all(scene)
    assert queue_of(scene)


def test_a_parameter_that_only_the_dropped_resource_needs_stays_as_long(scene: Scene) -> None:
    queue = "\n  Queue: {Type: AWS::SQS::Queue, Properties: {VisibilityTimeout: !Ref Size}}\n"
    start(scene, SIZED + template(READ, rest=queue))
    found = release(scene, 2, template(READ, rest=""))
    assert found.exact is not None
    provision_all(scene, scene.production)
    client, name = scene.cloud.client("cloudformation"), found.stack_name
    state = find_stack(client, name)
    assert state is not None
    assert state.parameters == {"Size": "30"}
    leave_all(scene)
    state = find_stack(client, name)
    assert state is not None
    assert state.parameters == {}


def break_exact(scene: Scene) -> None:
    """Let the update after the bake fail."""
    replace_exact(scene, scene.tools.documents)


def replace_exact(scene: Scene, documents: Documents) -> None:
    key = f"{stage_prefix(scene.ref, scene.production)}template.json"
    broken = json.loads(documents.find_bytes(key) or b"")
    topic = "arn:aws:sns:us-east-1:123456789012:gone"
    properties = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": "x"}
    broken["Resources"]["Bad"] = {"Type": "AWS::SNS::Subscription", "Properties": properties}
    documents.write_bytes(key, json.dumps(broken).encode())


def test_a_healthy_release_is_left_even_if_the_last_update_fails_and_the_next_one_drops_it(
    scene: Scene,
) -> None:
    start(scene, template(READ, SEND))
    release(scene, 2, TEMPLATE)
    provision_all(scene, scene.production)
    break_exact(scene)
    leave_all(scene)
    assert queue_of(scene)
    (told,) = told_of(scene, "what was held is not taken away")
    assert "UPDATE_ROLLBACK_COMPLETE: Bad" in told
    leave(Leave(release=scene.ref, stage=scene.production), scene.tools)

    found = release(scene, 3, TEMPLATE)
    assert "Queue: the AWS::SQS::Queue is removed after the bake" in found.held
    provision_all(scene, scene.production)
    leave_all(scene)
    assert not queue_of(scene)


def test_a_template_that_somebody_replaced_in_the_stage_is_not_the_one_that_is_applied(scene: Scene) -> None:
    start(scene, template(READ, SEND))
    release(scene, 2, TEMPLATE)
    provision_all(scene, scene.production)
    replace_exact(scene, scene.tools.stage(scene.production).documents)
    leave_all(scene)
    assert not queue_of(scene)
    assert not told_of(scene, "what was held is not taken away")


def test_a_release_whose_last_update_failed_is_undone_all_the_same(scene: Scene) -> None:
    """The stack is UPDATE_ROLLBACK_COMPLETE, but by the update after the bake."""
    start(scene, template(READ, SEND))
    release(scene, 2, TEMPLATE)
    provision_all(scene, scene.production)
    break_exact(scene)
    leave_all(scene)
    assert scene.tools.documents.exists(exact_mark(scene.ref, scene.production))
    undo_all(scene)
    client = scene.cloud.client("cloudformation")
    code = json.loads(read_template(client, f"{scene.service}-{scene.production}"))["Resources"]["Place"]
    assert code["Properties"]["Code"]["S3Key"] == f"artifacts/{1:064x}.zip"


def test_a_stage_that_was_left_gets_its_queue_anew_when_the_release_is_undone(scene: Scene) -> None:
    start(scene, template(READ, SEND))
    release(scene, 2, TEMPLATE)
    provision_all(scene, scene.production)
    leave_all(scene)
    undo_all(scene)
    eventually(lambda: queue_of(scene))


def test_a_run_that_dies_after_any_call_is_gone_on_with(scene: Scene) -> None:
    """Of holding, of taking away and of undoing: each step dies after each of its calls, then is made whole."""
    start(scene, template(READ, SEND))
    release(scene, 2, template(READ, rest=""))
    death = Death(scene)
    deaths = die_through(
        death, lambda: provision(Provision(release=scene.ref, stage=scene.production), scene.tools)
    )
    assert POLICY in rights(scene)
    assert queue_of(scene)
    deaths += die_through(death, lambda: leave(Leave(release=scene.ref, stage=scene.production), scene.tools))
    assert POLICY not in rights(scene)
    assert not queue_of(scene)
    deaths += die_through(death, lambda: undo(Undo(release=scene.ref, failure=FAILURE), scene.tools))
    assert deaths > 40
    death.reset(10**6)
    assert queue_of(scene)
    assert any("sqs" in str(statement) for statement in rights(scene).values())


def die_through(death: Death, step: Callable[[], Any]) -> int:
    """Make a step again and again until all is done, dying after each of its calls; gives the deaths."""
    deaths, after, looks = 0, 1, 0
    while looks < 500:
        looks += 1
        death.reset(after)
        try:
            answer = attempt(step)
        except DiedError:
            deaths, after = deaths + 1, after + 1
            continue
        if answer and getattr(answer, "undone", True):
            return deaths
        after = 1
        time.sleep(0.05)
    raise AssertionError(f"not done after {looks} looks")
