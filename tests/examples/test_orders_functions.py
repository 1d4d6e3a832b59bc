"""The example's functions against moto: healthy where they should be, failing as the demo needs it."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

REQUESTS = 250


def serve(service: Any, traffic: Any, count: int = REQUESTS) -> list[tuple[str, dict[str, Any]]]:
    """Send the first `count` requests; each one's function and answer."""
    sent = islice(traffic.requests(1), count)
    return [(request.function, service.invoke(request.function, request.payload)) for request in sent]


def records(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """What an SQS mapping would send to its function."""
    return {
        "Records": [
            {"messageId": message["MessageId"], "body": message["Body"], "eventSource": "aws:sqs"}
            for message in messages
        ]
    }


def error_lines(output: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return [line for line in lines if line["level"] == "ERROR"]


def statuses(answers: list[tuple[str, dict[str, Any]]], function: str) -> list[int]:
    return [answer["statusCode"] for name, answer in answers if name == function]


@pytest.mark.parametrize("key", ["first", "good", "config-only", "needs-approval"])
def test_a_healthy_commit_serves_all_traffic(
    key: str, open_service: Callable[[str], Any], traffic: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_service(key) as service:
        service.dynamodb.put_item(TableName="orders", Item=traffic.LOYALTY_FLAG)
        answers = serve(service, traffic)

    assert not [answer for _, answer in answers if traffic.failed(answer, None)]
    assert set(statuses(answers, "CreateOrder")) == {201}
    assert set(statuses(answers, "GetOrder")) <= {200, 404}
    assert statuses(answers, "GetOrder").count(200) > 0.9 * len(statuses(answers, "GetOrder"))
    assert not error_lines(capsys.readouterr().out)


@pytest.mark.parametrize("key", ["first", "needs-approval"])
def test_an_order_goes_from_request_to_notice(
    key: str, open_service: Callable[[str], Any], traffic: Any
) -> None:
    with open_service(key) as service:
        created = service.invoke("CreateOrder", next(traffic.requests(2)).payload)
        order_id = json.loads(created["body"])["order_id"]
        charged = service.invoke("ChargeOrder", records(service.messages(service.queue_url)))
        (heard,) = service.messages(service.heard_url)
        service.invoke("NotifyCustomer", json.loads(heard["Body"]))
        found = service.invoke("GetOrder", {"headers": {}, "pathParameters": {"id": order_id}})
        notice = service.dynamodb.get_item(
            TableName="orders", Key={"pk": {"S": f"order#{order_id}"}, "sk": {"S": "notice#charged"}}
        )["Item"]

    assert charged == {"batchItemFailures": []}
    assert json.loads(found["body"])["status"] == "charged"
    assert order_id in notice["text"]["S"]
    assert ("We charged" in notice["text"]["S"]) == (key == "needs-approval")


def test_an_order_sent_again_is_the_same_order(open_service: Callable[[str], Any], traffic: Any) -> None:
    request = next(traffic.requests(2))
    with open_service("first") as service:
        first, again = (service.invoke(request.function, request.payload) for _ in range(2))
        messages = service.messages(service.queue_url)
        charged = service.invoke("ChargeOrder", records(messages))
        count = service.dynamodb.scan(TableName="orders", Select="COUNT")["Count"]
        announced = service.messages(service.heard_url)

    assert (first["statusCode"], again["statusCode"]) == (201, 200)
    assert charged == {"batchItemFailures": []}
    assert (count, len(messages)) == (1, 2)
    assert len({json.loads(message["Body"])["detail"]["order_id"] for message in announced}) == 1


def test_a_batch_reports_only_what_failed(
    open_service: Callable[[str], Any], traffic: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_service("first") as service:
        service.invoke("CreateOrder", next(traffic.requests(2)).payload)
        lost = {"MessageId": "lost", "Body": '{"order_id": "lost"}'}
        messages = [*service.messages(service.queue_url), lost]
        answer = service.invoke("ChargeOrder", records(messages))

    assert answer == {"batchItemFailures": [{"itemIdentifier": "lost"}]}
    assert len(error_lines(capsys.readouterr().out)) == 1


def test_returns_500_answers_so_for_a_part_of_the_orders(
    open_service: Callable[[str], Any], traffic: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_service("returns-500") as service:
        answers = serve(service, traffic)

    created = statuses(answers, "CreateOrder")
    failures = created.count(500)
    assert 0.3 < failures / len(created) < 0.5
    assert set(created) == {201, 500}
    assert set(statuses(answers, "GetOrder")) <= {200, 404}
    assert len(error_lines(capsys.readouterr().out)) == failures


def test_fails_later_raises_only_with_the_flag(open_service: Callable[[str], Any], traffic: Any) -> None:
    request = next(traffic.requests(2))
    with open_service("fails-later") as service:
        answers = serve(service, traffic)
        created = service.invoke(request.function, request.payload)
        get = {"headers": {}, "pathParameters": {"id": json.loads(created["body"])["order_id"]}}
        before = service.invoke("GetOrder", get)
        service.dynamodb.put_item(TableName="orders", Item=traffic.LOYALTY_FLAG)
        with pytest.raises(KeyError, match="Item"):
            service.invoke("GetOrder", get)

    assert not [answer for _, answer in answers if traffic.failed(answer, None)]
    assert before["statusCode"] == 200


@pytest.mark.parametrize("key", ["first", "needs-approval"])
def test_smoke_events_are_answered(key: str, open_service: Callable[[str], Any], repository: Any) -> None:
    folder = repository.folder(key)
    smoke = yaml.safe_load((folder / "tidegate.yaml").read_text())["smoke"]
    with open_service(key) as service:
        answers = {
            function: [service.invoke(function, json.loads((folder / name).read_text())) for name in names]
            for function, names in sorted(smoke["staging"].items())
        }

    assert [answer["statusCode"] for answer in answers["CreateOrder"]] == [201]
    assert [answer["statusCode"] for answer in answers["GetOrder"]] == [200]
    assert answers["NotifyCustomer"] == [None]
    assert set(smoke["production"]) == {"GetOrder"}
