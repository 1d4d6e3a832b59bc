from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tidegate.domain.intake import Bounds, Push, normalize
from tidegate.domain.ledger import Outcome

if TYPE_CHECKING:
    from tests.cli.conftest import World

COMMIT = "a1b2" * 10


def listen(world: World) -> str:
    """A queue that is sent what is put on the bus."""
    queues, events = world.pipeline.client("sqs"), world.pipeline.client("events")
    queue = queues.create_queue(QueueName="pushed")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bus, pattern = world.pipeline.resources.event_bus, {"detail-type": ["Commit Pushed"]}
    events.put_rule(Name="pushed", EventBusName=bus, EventPattern=json.dumps(pattern))
    events.put_targets(Rule="pushed", EventBusName=bus, Targets=[{"Id": "1", "Arn": arn}])
    return str(queue)


def heard(world: World, queue: str) -> list[Push]:
    """What intake would make of the events in the queue."""
    sqs = world.pipeline.client("sqs")
    received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=5)
    read = [json.loads(message["Body"]) for message in received.get("Messages", [])]
    bounds = Bounds(branches=frozenset({"main"}), source_bucket=world.pipeline.sources.bucket)
    pushes = [normalize(event, bounds) for event in read]
    assert all(isinstance(push, Push) for push in pushes)
    return [push for push in pushes if isinstance(push, Push)]


def test_intake_gets_the_same_commit_with_the_next_attempt(world: World) -> None:
    queue = listen(world)
    world.release(COMMIT, 1, Outcome.REJECTED)
    second = world.release(COMMIT, 2, Outcome.ROLLED_BACK)
    world.release("c" * 40, 1, Outcome.PROMOTED)
    world.pipeline.sources.write_bytes(f"orders/main/{COMMIT}.bundle", b"bundle")
    done = world.call("retry", "orders", "a1b2a1b2")
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[0] == "asked for release a1b2a1b2a1b2-3 of orders"
    assert heard(world, queue) == [Push(commit=second.commit, attempt=3)]


def test_attempt_that_waits_for_its_turn_counts(world: World) -> None:
    queue = listen(world)
    world.release(COMMIT, 1, Outcome.REJECTED)
    world.pipeline.ledger.reserve("orders", "opened#a1b2a1b2a1b2-2", "another execution")
    world.pipeline.sources.write_bytes(f"orders/main/{COMMIT}.bundle", b"bundle")
    assert world.call("retry", "orders").exit_code == 0
    assert [push.attempt for push in heard(world, queue)] == [3]


def test_release_under_way_is_not_retried(world: World) -> None:
    world.release(COMMIT)
    done = world.call("retry", "orders")
    assert done.stderr == (
        "error: orders a1b2a1b2a1b2-1 is under way: tidegate watch orders a1b2a1b2a1b2-1\n"
    )


def test_bundle_that_has_expired_names_the_remedy(world: World) -> None:
    world.release(COMMIT, 1, Outcome.REJECTED)
    done = world.call("retry", "orders", "a1b2a1b2a1b2-1")
    assert done.exit_code == 1
    assert f"`tidegate push --commit {COMMIT} --branch main`, then retry" in done.stderr
