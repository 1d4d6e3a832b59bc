"""Dead letters come in while a good version is tried: the release holds, names them, and then goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.pipelines.traffic import Traffic
from tidegate.domain.ledger import Outcome

if TYPE_CHECKING:
    from tests.pipelines.services import Service
    from tidegate.cli.push import Pushed

PATIENCE = 180.0


def holds(service: Service, pushed: Pushed) -> list[str]:
    return [
        entry.what
        for entry in service.entries(pushed)
        if (entry.step, entry.stage) == ("JudgeCanary", "production") and entry.what.startswith("hold shared")
    ]


def test_a_release_waits_while_dead_letters_come_in(fresh: Service) -> None:
    fresh.resources = {"Lost": {"Type": "AWS::SQS::Queue"}}
    fresh.properties = {
        "DeadLetterQueue": {"Type": "SQS", "TargetArn": {"Fn::GetAtt": ["Lost", "Arn"]}},
        "ReservedConcurrentExecutions": 40,
    }
    # Time for a first depth of the queue, and for one that is greater.
    fresh.config["stages"]["production"]["strategy"] = "Canary50Percent10Minutes"
    fresh.live = fresh.change()
    first = fresh.push()
    fresh.await_end(first, PATIENCE)
    assert fresh.outcome(first) is Outcome.PROMOTED, fresh.tell(first)
    url = fresh.standing()["Lost"]
    fresh.live = fresh.change()

    def lose_until_held() -> bool:
        shifted = any((e.step, e.stage) == ("ShiftTraffic", "production") for e in fresh.entries(pushed))
        if shifted and not holds(fresh, pushed):
            fresh.client("sqs").send_message(QueueUrl=url, MessageBody="lost")
        return bool(holds(fresh, pushed))

    with Traffic(fresh):
        pushed = fresh.push()
        fresh.until(lose_until_held, lambda: fresh.tell(pushed), PATIENCE)
        fresh.await_end(pushed, PATIENCE)
    assert fresh.outcome(pushed) is Outcome.PROMOTED, fresh.tell(pushed)
    name = url.rpartition("/")[2]
    assert f"dead letter queue {name} (Front): " in holds(fresh, pushed)[0]
    assert "dead letters came in, none in the hour before the first shift" in holds(fresh, pushed)[0]
    published = next(
        e.what for e in fresh.entries(pushed) if (e.step, e.stage) == ("PublishVersions", "production")
    )
    assert "not observed" not in published
    fresh.check_settled()
