from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import ASKS
from tidegate.domain.approvals import ApprovalRequest, approval_key
from tidegate.domain.ledger import Outcome

if TYPE_CHECKING:
    from tests.cli.conftest import World
    from tidegate.domain.ledger import Release


@pytest.fixture
def waiting(world: World) -> Release:
    """A release whose execution waits for the answer, as AwaitApproval asks it."""
    queues = world.pipeline.client("sqs")
    queue = queues.create_queue(QueueName="asked")["QueueUrl"]
    release = world.release("a" * 40)
    world.run("tidegate-release", json.dumps(ASKS), f"orders-{release.ref.id}", {"queue": queue})
    for _ in range(200):
        messages = queues.receive_message(QueueUrl=queue).get("Messages", [])
        if messages:
            break
        time.sleep(0.02)
    token = json.loads(messages[0]["Body"])["token"]
    asked = ApprovalRequest(stage="production", release_id=release.ref.id, token=token, asked_at=world.clock)
    key = approval_key(release.ref.id, "production")
    world.pipeline.ledger.put_document("orders", key, asked.model_dump_json())
    world.tell(release, "AwaitApproval", "waiting for approval of production", "production")
    return release


def ended(world: World, release: Release) -> dict[str, str]:
    for _ in range(200):
        found = world.pipeline.machines.describe_execution(executionArn=release.ref.execution)
        if found["status"] != "RUNNING":
            return {name: found[name] for name in ("status", "output", "error", "cause") if name in found}
        time.sleep(0.02)
    raise AssertionError("the execution still runs")


def answers(world: World, release: Release) -> list[str]:
    entries = world.pipeline.ledger.entries("orders", release.ref.id)
    return [entry.what for entry in entries if entry.step == "AwaitApproval"][1:]


def test_approve_lets_the_release_go_on_and_says_who(world: World, waiting: Release) -> None:
    done = world.call("approve", "orders", waiting.ref.id, "--comment", "seen on staging")
    assert (done.exit_code, done.output) == (0, "approved: orders aaaaaaaaaaaa-1 enters production\n")
    found = ended(world, waiting)
    assert found["status"] == "SUCCEEDED"
    said = json.loads(found["output"])
    assert said["comment"] == "seen on staging"
    assert said["approved_by"].startswith("arn:aws:sts::123456789012:")
    assert answers(world, waiting) == [f"approved by {said['approved_by']}: seen on staging"]


def test_reject_ends_the_release_with_the_reason(world: World, waiting: Release) -> None:
    done = world.call("reject", "orders", "--comment", "not on a Friday")
    assert (done.exit_code, done.output) == (0, "rejected: orders aaaaaaaaaaaa-1 does not enter production\n")
    found = ended(world, waiting)
    assert (found["status"], found["error"]) == ("FAILED", "ApprovalRejected")
    assert answers(world, waiting)[0].endswith(": not on a Friday")


def test_answer_that_comes_too_late_is_an_error_and_recorded(world: World, waiting: Release) -> None:
    assert world.call("approve", "orders").exit_code == 0
    ended(world, waiting)
    done = world.call("approve", "orders", waiting.ref.id, "--comment", "again")
    assert done.exit_code == 1
    assert "does not wait for production any more" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert answers(world, waiting)[-1].startswith("production had stopped waiting when it was approved by")


def test_release_that_does_not_wait_cannot_be_answered(world: World) -> None:
    release = world.release("a" * 40)
    done = world.call("approve", "orders")
    assert done.stderr == "error: orders aaaaaaaaaaaa-1 does not wait for approval\n"
    done = world.call("approve", "orders", "--stage", "production")
    assert done.stderr == "error: orders aaaaaaaaaaaa-1 does not wait for approval of production\n"
    world.end(release, Outcome.REJECTED)
    done = world.call("approve", "orders")
    assert done.stderr == "error: orders aaaaaaaaaaaa-1 waits for nothing: it is rejected\n"
