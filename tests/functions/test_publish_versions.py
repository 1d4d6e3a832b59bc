from __future__ import annotations

import hashlib
import json
import re
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from functions.publish_versions.handler import Request, Response, handle
from functions.publish_versions.versions import publish_version
from tests.scene import eventually, zipped
from tidegate.adapters.attestations import admission_key
from tidegate.adapters.documents import stage_prefix
from tidegate.adapters.gauges import find_gauges
from tidegate.adapters.plans import find_rollout
from tidegate.domain.artifacts import archive_key
from tidegate.domain.errors import ArtifactAltered, ForeignChange, SmokeFailed, VersionsPending
from tidegate.domain.provenance import Admission

if TYPE_CHECKING:
    from tests.scene import Scene
    from tidegate.domain.rollouts import RollingFunction

NEW = "def handler(event, context):\n    return 'new'\n"


@pytest.fixture
def function(scene: Scene) -> RollingFunction:
    scene.open()
    scene.snapshot()
    found = scene.function(versions=1)
    scene.plan(scene.stage_plan(scene.production, scene.function_plan(found, artifact=None)))
    return found


def publish(scene: Scene) -> Response:
    return handle(Request(release=scene.ref, stage=scene.production), scene.tools)


def test_what_the_stack_left_is_published_once(scene: Scene, function: RollingFunction) -> None:
    scene.change(function.name, NEW)
    responses = [publish(scene) for _ in range(2)]
    assert responses == [Response(rolling=1, first_weight=0.1)] * 2
    rollout = find_rollout(scene.tools.documents, scene.ref, scene.production)
    assert rollout is not None
    assert rollout.functions == (function,)
    alias = scene.lambdas.get_alias(FunctionName=function.name, Name="live")
    assert rollout.revisions == {"Place": alias["RevisionId"]}
    assert len(scene.told()) == 1
    versions = scene.lambdas.list_versions_by_function(FunctionName=function.name)["Versions"]
    assert [item["Version"] for item in versions] == ["$LATEST", "1", "2"]


def test_a_run_that_died_before_it_wrote_the_rollout_publishes_the_same(
    scene: Scene, function: RollingFunction
) -> None:
    scene.change(function.name, NEW)
    plan = scene.function_plan(function, artifact=None)
    first, again = (publish_version(scene.lambdas, plan, scene.ref, {}) for _ in range(2))
    assert first == again


def test_configuration_alone_is_a_version_too(scene: Scene, function: RollingFunction) -> None:
    scene.lambdas.update_function_configuration(
        FunctionName=function.name, Environment={"Variables": {"MODE": "new"}}
    )
    assert publish(scene).rolling == 1


def test_where_nothing_changed_nothing_shifts(scene: Scene, function: RollingFunction) -> None:
    assert publish(scene).rolling == 0
    assert scene.told() == ["published new versions: none, nothing to shift"]
    assert scene.pointing(function).version == "1"


def test_other_code_than_was_attested_is_never_published(scene: Scene, function: RollingFunction) -> None:
    """Whoever replaces what lies in the stage's bucket after the last look at it, or the function's code."""
    plan = scene.function_plan(function)
    scene.plan(scene.stage_plan(scene.production, plan))
    digest = hashlib.sha256(zipped(index=NEW)).hexdigest()
    admission = Admission(
        builder="b", keyid="k", commit="c", objects=1, digests={archive_key(plan.artifact or ""): digest}
    )
    scene.tools.documents.write(admission_key(scene.ref, scene.production), admission)
    scene.change(function.name, NEW.replace("new", "evil"))
    with pytest.raises(ArtifactAltered, match=f"and {digest} was built and attested"):
        publish(scene)
    versions = scene.lambdas.list_versions_by_function(FunctionName=function.name)["Versions"]
    assert [item["Version"] for item in versions] == ["$LATEST", "1"]
    scene.change(function.name, NEW)
    assert publish(scene).rolling == 1


@pytest.mark.parametrize(
    "change",
    [
        {"Role": "arn:aws:iam::123456789012:role/tidegate-cloudformation-staging"},
        {"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:123456789012:lost"}},
    ],
)
def test_versions_that_no_alias_can_hold_both_are_promoted_at_once(
    scene: Scene, function: RollingFunction, change: dict[str, Any]
) -> None:
    scene.lambdas.update_function_configuration(FunctionName=function.name, **change)
    assert [publish(scene) for _ in range(2)] == [Response(rolling=1, first_weight=100)] * 2
    (told,) = scene.told()
    assert "role or dead letter queue of Place differ between the versions" in told


def test_somebody_elses_rollout_is_not_joined(scene: Scene, function: RollingFunction) -> None:
    scene.change(function.name, NEW)
    scene.lambdas.publish_version(FunctionName=function.name)
    scene.move(function, "1", v2=0.5)
    with pytest.raises(ForeignChange, match="splits its traffic already"):
        publish(scene)
    scene.lambdas.delete_alias(FunctionName=function.name, Name="live")
    with pytest.raises(ForeignChange, match="is gone; repair it"):
        publish(scene)


class Slow:
    """Lambda that is not done yet, or never will be."""

    def __init__(self, client: Any, qualifier: str, **changes: str) -> None:
        self.client, self.qualifier, self.changes = client, qualifier, changes
        self.get_alias = client.get_alias

    def get_function(self, **arguments: Any) -> Any:
        answer = self.client.get_function(**arguments)["Configuration"]
        return {"Configuration": answer | self.change(arguments["Qualifier"])}

    def publish_version(self, **arguments: Any) -> Any:
        answer = self.client.publish_version(**arguments)
        return answer | self.change(answer["Version"])

    def change(self, qualifier: str) -> dict[str, str]:
        return self.changes if qualifier == self.qualifier else {}


@pytest.mark.parametrize(
    ("qualifier", "changes", "said"),
    [
        ("$LATEST", {"LastUpdateStatus": "InProgress"}, "is still being updated"),
        ("2", {"State": "Pending"}, "version 2 of .* is not active yet"),
    ],
)
def test_a_version_is_awaited(
    scene: Scene, function: RollingFunction, qualifier: str, changes: dict[str, str], said: str
) -> None:
    scene.change(function.name, NEW)
    client: Any = Slow(scene.lambdas, qualifier, **changes)
    published = publish_version(client, scene.function_plan(function, artifact=None), scene.ref, {})
    assert published.moves is None
    assert re.search(said, published.pending)


def test_a_version_that_never_comes_up_is_told(scene: Scene, function: RollingFunction) -> None:
    scene.change(function.name, NEW)
    client: Any = Slow(scene.lambdas, "2", State="Failed", StateReason="no subnet")
    with pytest.raises(SmokeFailed, match=r"version 2 of .* is Failed: no subnet"):
        publish_version(client, scene.function_plan(function, artifact=None), scene.ref, {})


def test_all_versions_are_asked_for_before_any_is_awaited(
    scene: Scene, function: RollingFunction, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other, each would cost the release an attempt of its own."""
    others = [scene.function(f"Ship{number}", versions=1) for number in range(3)]
    functions = [function, *others]
    plans = [scene.function_plan(one, artifact=None) for one in functions]
    scene.plan(scene.stage_plan(scene.production, *plans))
    names = [one.name for one in functions]
    for name in names:
        scene.change(name, NEW)

    class AllSlow(Slow):
        def change(self, qualifier: str) -> dict[str, str]:
            return {} if qualifier == "$LATEST" else self.changes

    client: Any = AllSlow(scene.lambdas, "", State="Pending")
    monkeypatch.setitem(vars(scene.tools.stage(scene.production)), "functions", client)
    with pytest.raises(VersionsPending, match=r"version 2 of .* is not active yet, version 2 of"):
        publish(scene)
    for name in names:
        versions = scene.lambdas.list_versions_by_function(FunctionName=name)["Versions"]
        assert len(versions) == 3


class TestGauges:
    """What shows how both versions fare together is found in the template that was applied."""

    @staticmethod
    def apply(scene: Scene, function: RollingFunction) -> str:
        """A stack with a queue that the function reads; gives the queue's URL."""
        queue = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 60}}
        source = {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "FunctionName": f"{function.name}:{function.alias}",
                "EventSourceArn": {"Fn::GetAtt": ["Orders", "Arn"]},
                "Enabled": False,
            },
        }
        body = json.dumps({"Resources": {"Orders": queue, "Source": source}})
        key = f"{stage_prefix(scene.ref, scene.production)}template.json"
        scene.tools.documents.write_bytes(key, body.encode())
        client = scene.cloud.client("cloudformation")
        name = f"{scene.service}-{scene.production}"
        client.create_stack(StackName=name, TemplateBody=body)
        client.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
        found: str = client.describe_stack_resource(StackName=name, LogicalResourceId="Orders")[
            "StackResourceDetail"
        ]["PhysicalResourceId"]
        return found

    def test_they_are_set_by_what_they_showed_before(self, scene: Scene, function: RollingFunction) -> None:
        url = self.apply(scene, function)
        for _ in range(3):
            scene.cloud.client("sqs").send_message(QueueUrl=url, MessageBody="x")
        scene.change(function.name, NEW)
        name = url.rpartition("/")[2]
        eventually(lambda: self.find_depths(scene, name))
        time.sleep(scene.tools.settings.metric_period)
        publish(scene)
        found = find_gauges(scene.tools.documents, scene.ref, scene.production)
        assert found is not None
        gauges = {str(one.guard): one for one in found.gauges}
        assert set(gauges) == {
            "throttles",
            "dropped_events",
            "queue_depth",
            "queue_age",
            "concurrency",
        }
        depth = gauges["queue_depth"]
        assert (depth.of, depth.usual) == (f"queue {name} (Place)", 3)
        assert (gauges["concurrency"].of, gauges["concurrency"].most) == ("the account", 1000)
        assert "not observed" not in scene.told()[0]

    @staticmethod
    def find_depths(scene: Scene, name: str) -> list[float]:
        stat = {
            "Metric": {
                "Namespace": "AWS/SQS",
                "MetricName": "ApproximateNumberOfMessagesVisible",
                "Dimensions": [{"Name": "QueueName", "Value": name}],
            },
            "Period": 1,
            "Stat": "Maximum",
        }
        now = datetime.now(UTC)
        answer = scene.cloud.client("cloudwatch").get_metric_data(
            MetricDataQueries=[{"Id": "q", "MetricStat": stat}],
            StartTime=now - timedelta(minutes=1),
            EndTime=now + timedelta(minutes=1),
        )
        return [value for value in answer["MetricDataResults"][0]["Values"] if value == 3]

    def test_where_no_template_is_known_that_is_told(self, scene: Scene, function: RollingFunction) -> None:
        scene.change(function.name, NEW)
        publish(scene)
        assert scene.told()[0].endswith("; not observed: no template of the stage is known")
