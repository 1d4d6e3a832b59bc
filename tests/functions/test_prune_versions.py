"""The janitor on functions of the local cloud: what goes, what stays, and what it costs to do nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from functions.prune_versions.handler import Request, handle
from tidegate.adapters.healthy import list_ways, write_healthy
from tidegate.adapters.versions import delete_version, find_use, list_mapped, list_published
from tidegate.domain.config import ServiceConfig
from tidegate.domain.healthy import Healthy, HealthyFunction
from tidegate.domain.ledger import ClaimState, Outcome
from tidegate.domain.pruning import PruneReport, Published

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_lambda import LambdaClient

    from tests.scene import Scene

OLD = timedelta(days=500)
CODE = "def handler(event, context):\n    return {number}\n"


@pytest.fixture
def name(scene: Scene) -> str:
    """Version 1 is an anchor, 2 to 8 were published by releases, all healthy but that of 7; 8 is live."""
    rolling = scene.function(versions=1)
    for number in range(2, 9):
        scene.next_release(f"{number:x}" * 40)
        scene.snapshot(config=ServiceConfig(keep_releases=3))
        scene.change(rolling.name, CODE.replace("{number}", str(number)))
        scene.lambdas.publish_version(
            FunctionName=rolling.name, Description=f"Tidegate: release {scene.ref.id}"
        )
        at = scene.tools.now() - (OLD if number == 2 else timedelta(0))
        scene.tools.ledger.close_release(scene.ref, Outcome.PROMOTED, "", at, under=None)
        if number != 7:
            here = HealthyFunction(name=rolling.name, alias="live", version=str(number), log_group="/g")
            healthy = Healthy(
                stage=scene.production,
                release_id=scene.ref.id,
                artifacts={},
                functions={"Place": here},
            )
            write_healthy(scene.tools.ledger, scene.tools.documents, scene.ref, healthy)
        scene.tools.ledger.free_claim(scene.ref)
    scene.move(rolling, "8")
    return rolling.name


def prune(scene: Scene, *, dry_run: bool = False) -> PruneReport:
    (report,) = handle(Request(service=scene.service, dry_run=dry_run), scene.tools).reports
    return report


def versions(scene: Scene, name: str) -> list[str]:
    found = scene.lambdas.list_versions_by_function(FunctionName=name)["Versions"]
    return [item["Version"] for item in found if item["Version"] != "$LATEST"]


def ways(scene: Scene) -> list[str]:
    found = list_ways(scene.tools.ledger, scene.tools.documents, scene.service, scene.production)
    return [key[0] for key in found]


def test_a_dry_run_says_what_would_go_and_why_the_rest_stays(scene: Scene, name: str) -> None:
    report = prune(scene, dry_run=True)
    fates = {fate.version: (fate.goes, fate.reason) for fate in report.fates}
    assert {version for version, (goes, _) in fates.items() if goes} == {"2", "3", "4", "7"}
    assert fates["1"] == (False, "not published by Tidegate")
    assert fates["5"] == (False, "release 555555555555-1 can be gone back to")
    assert fates["8"][1] == "release 888888888888-1 can be gone back to"
    assert report.documents == ("222222222222-1",)
    assert versions(scene, name) == [str(number) for number in range(1, 9)]
    assert ways(scene) == ["8", "6", "5", "4", "3", "2"]


def test_what_nobody_needs_goes_once(scene: Scene, name: str) -> None:
    scene.lambdas.create_alias(FunctionName=name, Name="theirs", FunctionVersion="3")
    report = prune(scene)
    assert report.gone == 3
    assert versions(scene, name) == ["1", "3", "5", "6", "8"]
    assert ways(scene) == ["8", "6", "5"]
    assert scene.tools.documents.list_folders(f"releases/{scene.service}/") == [
        f"{digit * 12}-1" for digit in "345678"
    ]
    again = prune(scene)
    assert again.note == "nothing was released since the last time"
    assert again.fates == ()


def test_a_release_under_way_is_not_disturbed(scene: Scene, name: str) -> None:
    claim = scene.tools.ledger.read_claim(scene.service)
    assert claim is not None
    scene.claim(epoch=claim.epoch, state=ClaimState.HELD)
    assert "is under way: nothing is touched" in prune(scene).note
    assert len(versions(scene, name)) == 8


def test_an_order_that_read_the_chain_before_it_was_cut_must_read_it_again(scene: Scene, name: str) -> None:
    before = scene.tools.ledger.read_claim(scene.service)
    assert before is not None
    prune(scene)
    assert not scene.tools.ledger.write_claim(before.model_copy(update={"epoch": 99}), over=before)
    assert name


def test_a_turn_that_runs_out_of_time_is_gone_on_with(scene: Scene, name: str) -> None:
    from functions.prune_versions.services import prune_service

    first = prune_service(scene.service, scene.tools.now() - timedelta(1), scene.tools, dry_run=False)
    assert (first.unfinished, first.fates) == (True, ())
    assert versions(scene, name) == [str(number) for number in range(1, 9)]
    assert prune(scene).gone == 4


class Fake:
    """Lambda with one answer for each call; what is an error is raised."""

    def __init__(self, **answers: Any) -> None:
        self._answers = answers

    def __getattr__(self, name: str) -> Any:
        def call(**_: Any) -> Any:
            answer = self._answers[name]
            if isinstance(answer, str):
                from botocore.exceptions import ClientError

                raise ClientError({"Error": {"Code": answer, "Message": "no"}}, name)
            return answer

        return call

    def get_paginator(self, name: str) -> Any:
        return Fake(paginate=self._answers[name])


NONE = "ResourceNotFoundException"


ARN = "arn:aws:lambda:us-east-1:123456789012:function:place"


@pytest.fixture
def stub() -> Iterator[tuple[LambdaClient, Stubber]]:
    """Lambda that answers what is queued; botocore's own model of the API is held by requests and answers."""
    client: LambdaClient = boto3.client(
        "lambda", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stubber:
        yield client, stubber
        stubber.assert_no_pending_responses()


def queue_executions(stubber: Stubber, found: Sequence[str], more: str = "", marker: str = "") -> None:
    """A page of durable executions with these states, asked for after a marker."""
    items = [
        {
            "DurableExecutionArn": f"{ARN}:4/durable-execution/order-{number}/8f6a",
            "DurableExecutionName": f"order-{number}",
            "FunctionArn": f"{ARN}:4",
            "Status": status,
            "StartTimestamp": datetime(2026, 1, 1, tzinfo=UTC),
        }
        for number, status in enumerate(found)
    ]
    asked = {"FunctionName": "place", "Qualifier": "4", "Statuses": ["RUNNING", "PAUSING", "PAUSED"]}
    answer = {"DurableExecutions": items, **({"NextMarker": more} if more else {})}
    expected = {**asked, **({"Marker": marker} if marker else {})}
    stubber.add_response("list_durable_executions_by_function", answer, expected)


def queue_no_policy(stubber: Stubber) -> None:
    expected = {"FunctionName": "place", "Qualifier": "4"}
    stubber.add_client_error("get_policy", NONE, "no", 404, expected_params=expected)


def test_a_permission_of_its_own_keeps_a_version(stub: tuple[LambdaClient, Stubber]) -> None:
    client, stubber = stub
    stubber.add_response("get_policy", {"Policy": "{}", "RevisionId": "r"})
    assert "a permission of its own" in find_use(client, "place", Published(version="4", durable=True))


@pytest.mark.parametrize("status", ["RUNNING", "PAUSED"])
def test_a_durable_execution_on_any_page_keeps_a_version(
    stub: tuple[LambdaClient, Stubber], status: str
) -> None:
    client, stubber = stub
    queue_no_policy(stubber)
    queue_executions(stubber, [], more="m")
    queue_executions(stubber, [status], marker="m")
    durable = Published(version="4", durable=True)
    assert find_use(client, "place", durable) == "a durable execution runs on it"


def test_a_version_without_durable_executions_goes(stub: tuple[LambdaClient, Stubber]) -> None:
    client, stubber = stub
    queue_no_policy(stubber)
    queue_executions(stubber, [])
    assert find_use(client, "place", Published(version="4", durable=True)) == ""
    queue_no_policy(stubber)
    assert find_use(client, "place", Published(version="4")) == ""


def test_a_durable_function_is_known_by_its_versions(stub: tuple[LambdaClient, Stubber]) -> None:
    client, stubber = stub
    versions: list[Any] = [
        {"Version": "$LATEST"},
        {"Version": "4", "DurableConfig": {"ExecutionTimeout": 86_400, "RetentionPeriodInDays": 14}},
        {"Version": "5", "Description": "Tidegate: release a"},
    ]
    stubber.add_response("list_versions_by_function", {"Versions": versions}, {"FunctionName": "place"})
    assert list_published(client, "place") == (
        Published(version="4", durable=True),
        Published(version="5", description="Tidegate: release a"),
    )


def test_mappings_name_versions_and_lambda_may_refuse() -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:place"
    pages = [
        {"EventSourceMappings": [{"UUID": "u", "FunctionArn": f"{arn}:7"}, {"UUID": "v", "FunctionArn": arn}]}
    ]
    client: Any = Fake(list_event_source_mappings=pages, delete_function="ResourceConflictException")
    assert list_mapped(client) == {"place": {"7": "the event source mapping u feeds it"}}
    assert delete_version(client, "place", "7") == "Lambda refuses: no"
    gone: Any = Fake(delete_function=NONE)
    assert delete_version(gone, "place", "7") == ""
