from __future__ import annotations

import json
from typing import TYPE_CHECKING

import boto3
import pytest

from functions.intake.handler import Request, handle
from tidegate.domain.errors import MalformedEvent

if TYPE_CHECKING:
    from tests.functions.conftest import Pipeline

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def pushed(**detail: object) -> Request:
    body = {"service": "orders", "commit": COMMIT, "branch": "main", **detail}
    return Request({"id": "e1", "source": "tidegate", "detail-type": "Commit Pushed", "detail": body})


def created(version: str) -> Request:
    detail = {
        "bucket": {"name": "sources"},
        "object": {"key": f"orders/main/{COMMIT}.bundle", "version-id": version},
    }
    return Request({"id": version, "source": "aws.s3", "detail-type": "Object Created", "detail": detail})


def executions(pipeline: Pipeline) -> dict[str, str]:
    machines, machine = boto3.client("stepfunctions"), pipeline.tools.settings.release_machine
    found = machines.list_executions(stateMachineArn=machine)["executions"]
    return {
        one["name"]: machines.describe_execution(executionArn=one["executionArn"])["input"] for one in found
    }


def test_a_push_starts_one_execution_however_often_it_is_told(pipeline: Pipeline) -> None:
    pipeline.make_machine()
    answers = [handle(created(version), pipeline.tools) for version in ("v1", "v1", "v2")]
    assert answers[0].outcome == "started"
    name = f"orders-{COMMIT[:12]}-1"
    assert {answer.execution for answer in answers} == {name}
    bundle = {"bucket": "sources", "key": f"orders/main/{COMMIT}.bundle", "version_id": ""}
    commit = {"service": "orders", "id": COMMIT, "branch": "main", "bundle": bundle}
    assert executions(pipeline) == {name: json.dumps({"attempt": 1, "commit": commit}, sort_keys=True)}


def test_another_source_of_the_same_commit_starts_nothing_more(pipeline: Pipeline) -> None:
    pipeline.make_machine()
    assert handle(created("v1"), pipeline.tools).outcome == "started"
    assert handle(pushed(), pipeline.tools).outcome == "repeated"
    assert len(executions(pipeline)) == 1


def test_a_retry_is_an_execution_of_its_own(pipeline: Pipeline) -> None:
    pipeline.make_machine()
    names = [handle(pushed(attempt=attempt), pipeline.tools).execution for attempt in (1, 2)]
    assert names == [f"orders-{COMMIT[:12]}-1", f"orders-{COMMIT[:12]}-2"]
    assert set(executions(pipeline)) == set(names)


def test_what_is_no_release_starts_nothing(pipeline: Pipeline) -> None:
    pipeline.make_machine()
    answer = handle(pushed(branch="topic"), pipeline.tools)
    assert (answer.outcome, executions(pipeline)) == ("ignored", {})
    assert "topic is not configured (configured: develop, main)" in answer.reason


def test_a_malformed_event_leaves_under_its_name(pipeline: Pipeline) -> None:
    with pytest.raises(MalformedEvent, match="commit"):
        handle(pushed(commit=None), pipeline.tools)
