"""A service that runs already, without Tidegate: its first release is canaried like any other.

What the functions served is read from their logs, message by message, since it arrives through triggers alone.
"""

from __future__ import annotations

import io
import json
import re
import threading
import zipfile
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple, Self

import pytest

from tests.pipelines.services import HANDLER, STAGES, template
from tidegate.adapters.stacks import find_stack
from tidegate.adapters.templates import parse
from tidegate.adapters.translation import translate
from tidegate.domain.ledger import Outcome
from tidegate.domain.templates import S3Object, place

if TYPE_CHECKING:
    from tests.pipelines.services import Service
    from tidegate.cli.push import Pushed

RATE = 6.0  # messages a second, and as many events
PATIENCE = 120.0  # an adoption is four updates more, two for each stage
SERVED = re.compile(r"served (\S+) by (\S+)")
SERVE = """served = [record["body"] for record in event.get("Records", [])]
    served += [event["detail"]["n"]] if "detail" in event else []
    if {broken} and served: raise RuntimeError("broken")
    for one in served: print("served", one, "by", "{name}")"""


def serve(name: str, *, broken: bool = False) -> str:
    return SERVE.format(name=name, broken=broken)


class Line(NamedTuple):
    """One message as a function's log tells of it; `at` in seconds."""

    at: float
    message: str
    code: str


class Triggers:
    """Messages to production's queue and events to its rule, at a steady rate, while it is entered."""

    def __init__(self, service: Service) -> None:
        self._sqs, self._events = service.client("sqs"), service.client("events")
        self._queue = service.standing()["Queue"]
        self._source = service.name
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self.sent: set[str] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _send(self) -> None:
        number = 0
        while not self._stop.wait(1 / RATE):
            number += 1
            message, event = f"m{number}", f"e{number}"
            self._sqs.send_message(QueueUrl=self._queue, MessageBody=message)
            detail = json.dumps({"n": event})
            self._events.put_events(
                Entries=[{"Source": self._source, "DetailType": "told", "Detail": detail}]
            )
            self.sent |= {message, event}


@pytest.fixture
def running(fresh: Service) -> Service:
    """A service with a stack in each stage, as `sam deploy` makes them, that runs the code `old`."""
    rule = {"Type": "EventBridgeRule", "Properties": {"Pattern": {"source": [fresh.name]}}}
    queue = {"Queue": {"Fn::GetAtt": ["Queue", "Arn"]}, "BatchSize": 1}
    fresh.properties = {"Timeout": 3, "Events": {"Told": rule, "Jobs": {"Type": "SQS", "Properties": queue}}}
    fresh.resources = {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 3}}}
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("app.py", HANDLER.format(body=serve("old"), answer="old"))
    bucket = f"{fresh.name}-own"
    fresh.client("s3").create_bucket(Bucket=bucket)
    fresh.client("s3").put_object(Bucket=bucket, Key="front", Body=body.getvalue())
    text = json.dumps(template(fresh.functions, fresh.properties, fresh.resources))
    placed = place(parse(text, "template.yaml"), {"Front": S3Object(bucket=bucket, key="front")}, {})
    plain = translate(placed, {}, "us-east-1")
    cloudformation = fresh.client("cloudformation")
    for stage in STAGES:
        cloudformation.create_stack(
            StackName=f"{fresh.name}-{stage}", TemplateBody=json.dumps(plain), Capabilities=["CAPABILITY_IAM"]
        )
    fresh.until(lambda: set(fresh.stacks().values()) == {"CREATE_COMPLETE"}, lambda: str(fresh.stacks()))
    fresh.live = "old"
    assert not fresh.aliases("production")
    return fresh


def read_lines(service: Service) -> list[Line]:
    """What the log of production tells; it is there once something has been served."""
    logs, group = service.client("logs"), f"/aws/lambda/{service.standing()['Front']}"
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        return []
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
    found = ((event, SERVED.search(event["message"])) for page in pages for event in page["events"])
    return [Line(event["timestamp"] / 1000, match[1], match[2]) for event, match in found if match]


def read_codes(service: Service) -> dict[str, set[str]]:
    codes: dict[str, set[str]] = defaultdict(set)
    for line in read_lines(service):
        codes[line.message].add(line.code)
    return codes


def release(service: Service, kinds: str = "me") -> tuple[Pushed, set[str]]:
    """Release the last commit under traffic; gives what was sent of these kinds, all of which was served."""
    with Triggers(service) as triggers:
        service.until(lambda: read_lines(service), lambda: "nothing is served before the release")
        pushed = service.push()
        service.await_end(pushed, PATIENCE)
        seen = len(triggers.sent)
        service.until(lambda: len(triggers.sent) > seen + 4, lambda: "nothing is sent")
    sent = {one for one in triggers.sent if one[0] in kinds}
    service.until(
        lambda: sent <= read_codes(service).keys(), lambda: f"lost {sent - read_codes(service).keys()}"
    )
    return pushed, sent


def target(service: Service) -> str:
    """What production's queue feeds."""
    mapping = service.client("lambda").get_event_source_mapping(UUID=service.standing()["FrontJobs"])
    return str(mapping["FunctionArn"]).rpartition(":function:")[2]


def check_old_until_shifted(service: Service, pushed: Pushed, new: str) -> None:
    """Before the first shift only the code that ran before has served; afterwards both have."""
    shifts = [e for e in service.entries(pushed) if (e.step, e.stage) == ("ShiftTraffic", "production")]
    first = shifts[0].at.timestamp()
    before = {line.code for line in read_lines(service) if line.at < first}
    assert before == {"old"}, service.tell(pushed)
    plan = (
        service.pipeline.documents.find_bytes(f"releases/{service.name}/{pushed.release_id}/plan.md") or b""
    )
    assert b"Adopts the stack first, with the code that runs" in plan
    assert shifts[0].evidence["weight"] == 50
    assert new not in before


def is_adopted(service: Service, pushed: Pushed) -> bool:
    """Whether the ledger says that production was adopted."""
    entries = (e for e in service.entries(pushed) if (e.step, e.stage) == ("ProvisionStage", "production"))
    return any("was adopted first" in entry.what for entry in entries)


def test_the_first_release_of_a_running_service_is_promoted_in_steps(running: Service) -> None:
    running.live = running.change(serve("new"))
    pushed, sent = release(running)
    assert running.outcome(pushed) is Outcome.PROMOTED, running.tell(pushed)
    check_old_until_shifted(running, pushed, "new")
    assert target(running).endswith(":live")
    codes = read_codes(running)
    assert {code for message in sent for code in codes[message]} == {"old", "new"}
    running.check_settled()

    running.live = running.change(serve("newer"))
    again, _ = release(running)
    assert running.outcome(again) is Outcome.PROMOTED, running.tell(again)
    assert [is_adopted(running, one) for one in (pushed, again)] == [True, False]
    running.check_settled()


def test_a_first_release_that_fails_gives_everything_back_to_what_ran(running: Service) -> None:
    running.change(serve("new", broken=True))
    # An event that met the new version three times is given up by Lambda; a message comes back.
    pushed, sent = release(running, "m")
    assert running.outcome(pushed) is Outcome.ROLLED_BACK, running.tell(pushed)
    assert {code for message in sent for code in read_codes(running)[message]} == {"old"}
    found = find_stack(running.client("cloudformation"), f"{running.name}-production")
    assert found is not None
    assert found.is_healthy
    assert target(running).endswith(":live")
    answer = running.client("lambda").invoke(FunctionName=running.standing()["Front"], Payload=b"{}")
    assert json.loads(answer["Payload"].read())["body"] == "old"
    running.check_settled()
