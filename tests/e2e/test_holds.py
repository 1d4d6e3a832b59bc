"""A release that takes a right and a queue away: the stable version has both as long as traffic may need it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.pipelines.services import RAISES
from tests.pipelines.traffic import Traffic
from tidegate.adapters.stacks import find_stack
from tidegate.domain.holds import POLICY, hold_name
from tidegate.domain.ledger import Outcome

if TYPE_CHECKING:
    from tests.pipelines.services import Service
    from tidegate.cli.push import Pushed

SENDS = 'import boto3; boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody="x")'
SEND = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": {"Fn::GetAtt": ["Queue", "Arn"]}}
PATIENCE = 180.0


@pytest.fixture
def sending(fresh: Service) -> Service:
    """A service that sends to its queue, released; its next commit has neither the queue nor the right."""
    fresh.resources = {"Queue": {"Type": "AWS::SQS::Queue"}}
    fresh.properties = {
        "Environment": {"Variables": {"QUEUE": {"Ref": "Queue"}}},
        "Policies": [{"Statement": [SEND]}],
    }
    fresh.live = fresh.change(SENDS)
    pushed = fresh.push()
    fresh.await_end(pushed, PATIENCE)
    assert fresh.outcome(pushed) is Outcome.PROMOTED, fresh.tell(pushed)
    fresh.properties, fresh.resources = {}, {}
    return fresh


def policies(service: Service) -> dict[str, str]:
    """The inline policies of the function's role, as text."""
    iam, role = service.client("iam"), service.standing()["FrontRole"]
    return {
        name: json.dumps(iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"])
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
    }


def release(service: Service, answers: Any = None) -> tuple[Pushed, dict[str, str], str]:
    """Release under traffic; gives the role's policies and the queue at the first shift in production."""
    with Traffic(service) as traffic:
        pushed = service.push()
        service.until(
            lambda: any((e.step, e.stage) == ("ShiftTraffic", "production") for e in service.entries(pushed)),
            lambda: service.tell(pushed),
            PATIENCE,
        )
        found, queue = policies(service), service.standing().get("Queue", "")
        service.await_end(pushed, PATIENCE)
    if answers is not None:
        answers.update(traffic.answers)
    return pushed, found, queue


def test_the_stable_version_keeps_its_queue_and_its_right_until_the_new_one_is_healthy(
    sending: Service,
) -> None:
    before = sending.standing()["Queue"]
    answers: dict[str, int] = {}
    sending.live = sending.change()
    pushed, found, queue = release(sending, answers)
    assert sending.outcome(pushed) is Outcome.PROMOTED, sending.tell(pushed)
    assert set(answers) == {"answer"}, sending.tell(pushed)
    assert "sqs:sendmessage" in found[POLICY]
    assert queue == before
    assert "Queue" not in sending.standing()
    assert POLICY not in policies(sending)
    assert find_stack(sending.client("cloudformation"), hold_name(sending.name, "production")) is None
    sending.check_settled()


def test_a_rollback_finds_the_queue_and_the_right(sending: Service) -> None:
    before = sending.standing()["Queue"]
    sending.change(RAISES)
    pushed, found, _ = release(sending)
    assert sending.outcome(pushed) is Outcome.ROLLED_BACK, sending.tell(pushed)
    assert POLICY in found
    assert sending.standing()["Queue"] == before
    left = policies(sending)
    assert POLICY not in left
    assert any("sqs:SendMessage" in text for text in left.values())
    assert set(sending.ask()) == {sending.live}
    sending.check_settled()
