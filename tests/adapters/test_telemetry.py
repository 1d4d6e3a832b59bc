"""Fast telemetry from end to end in the local cloud: real functions' logs become batches."""

from __future__ import annotations

import base64
import gzip
import io
import json
import time
import zipfile
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.scene import eventually
from tidegate.adapters import telemetry
from tidegate.adapters.collection import Collection
from tidegate.adapters.history import read_history
from tidegate.adapters.observing import observe
from tidegate.adapters.profiles import find_obstacle, read_profiles
from tidegate.domain.attempts import batch_length
from tidegate.domain.judging.arms import add_pairs, pair
from tidegate.domain.observing import METRICS, TELEMETRY, Cursor, Profile, Terms, Thresholds
from tidegate.domain.telemetry_names import collector, table
from tidegate.domain.warming import YOUNG

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.scene import Scene
    from tidegate.domain.batches import Arm, Observation
    from tidegate.domain.rollouts import RollingFunction
    from tidegate.task import StageTools

ROOT = Path(__file__).parents[2]
PACE = 0.02
MARK = '{ $.level = "ERROR" }'
CODE = """
import json, time

def handler(event, context):
    if event.get("mark"):
        print(json.dumps({"level": "ERROR", "message": "no luck"}))
    time.sleep(event.get("sleep", 0))
    if event.get("raise"):
        raise ValueError("no luck")
    return {number}
"""


def zipped_collector() -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for folder in ("tidegate", "functions"):
            for path in (ROOT / folder).rglob("*.py"):
                archive.write(path, path.relative_to(ROOT))
    return body.getvalue()


class Watched:
    """A stage that collects telemetry, and one function of a release in it."""

    def __init__(self, scene: Scene, *, collects: bool = True, **changes: Any) -> None:
        self.scene = scene
        self.stage: StageTools = scene.tools.stage(scene.staging)
        self.tables, self.logs = scene.cloud.client("dynamodb"), scene.cloud.client("logs")
        self.table = table(scene.staging)
        scene.lambdas.delete_function(FunctionName=collector(scene.staging))
        if collects:
            self.make_collector()
        self.function = scene.function(code=CODE)
        if changes:
            scene.lambdas.update_function_configuration(FunctionName=self.function.name, **changes)
            for number in (3, 4):
                scene.change(self.function.name, CODE.replace("{number}", str(number)))
                scene.lambdas.publish_version(FunctionName=self.function.name)
            self.function = self.function.model_copy(update={"stable": "3", "canary": "4"})
        self.cursor = Cursor()
        self.shifts = [(0.25, datetime.now(UTC))]

    def make_collector(self) -> None:
        self.scene.lambdas.create_function(
            FunctionName=collector(self.scene.staging),
            Runtime="python3.12",
            Handler="functions.collect_telemetry.handler.handler",
            Role=self.scene.tools.settings.stages[0].deploy_role,
            Code={"ZipFile": zipped_collector()},
            Timeout=30,
        )

    def arm(self, *functions: RollingFunction, mark: str = MARK) -> Any:
        chosen = functions or (self.function,)
        profiles = {f.logical_id: read_profiles(self.scene.lambdas, [self.function])["Place"] for f in chosen}
        now = datetime.now(UTC)
        return telemetry.arm(self.stage, self.scene.ref, chosen, profiles, mark, now, PACE)

    def filters(self, group: str = "") -> list[str]:
        try:
            answer = self.logs.describe_subscription_filters(logGroupName=group or self.function.log_group)
        except ClientError:
            return []
        return [one["filterName"] for one in answer["subscriptionFilters"]]

    def items(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.tables.scan(TableName=self.table)["Items"]
        return found

    def shift(self) -> None:
        self.scene.move(self.function, self.function.stable, **{f"v{self.function.canary}": 0.25})
        self.shifts = [(0.25, datetime.now(UTC))]
        time.sleep(0.3)  # the batches in which the weight spreads are left out

    def invoke(self, version: str, events: Iterable[dict[str, Any]]) -> None:
        for event in events:
            self.scene.lambdas.invoke(
                FunctionName=self.function.name, Qualifier=version, Payload=json.dumps(event)
            )

    def look(self) -> Observation:
        terms = Terms(
            mark=MARK, period=1, pace=PACE, thresholds={"Place": Thresholds(slow=(100.0,), costly=(1e6,))}
        )
        now = datetime.now(UTC)
        observation, self.cursor = observe(
            self.stage, self.scene.ref, [self.function], self.shifts, self.cursor, now, terms
        )
        return observation

    def gather(self, requests: int) -> tuple[Arm, Arm]:
        """Look until so many requests were given; gives the sums of both versions."""
        batches: list[Any] = []

        def is_done() -> bool:
            batches.extend(self.look().batches)
            return sum(b.stable.requests + b.canary.requests for b in batches) >= requests

        eventually(is_done)
        assert len({batch.key for batch in batches}) == len(batches)
        return reduce(add_pairs, map(pair, batches))


@pytest.mark.parametrize("form", ["Text", "JSON"])
def test_a_real_functions_logs_become_batches(scene: Scene, form: str) -> None:
    changes = {"LoggingConfig": {"LogFormat": form}, "Timeout": 1}
    watched = Watched(scene, **changes)
    (arming,) = watched.arm()
    assert (arming.armed, arming.reason, arming.timeout) == (True, "", 1)
    watched.shift()
    stable, canary = watched.function.stable, watched.function.canary
    first: list[dict[str, Any]] = [{"sleep": 0.15}, {"raise": True}, *[{}] * (YOUNG - 2)]
    watched.invoke(stable, [*first, {}, {"sleep": 0.15}, {"mark": True, "raise": True}])
    watched.invoke(canary, [*first, {}, {"mark": True}, {"raise": True}, {"sleep": 5}])
    found = watched.gather(7 + 2 * YOUNG)
    arm = found[0]
    assert (arm.requests, arm.failed, arm.timed_out, arm.cold) == (3 + YOUNG, 2, 0, 1)
    assert (arm.warm, arm.slow) == (3, (1,))
    arm = found[1]
    assert (arm.requests, arm.failed, arm.timed_out, arm.cold) == (4 + YOUNG, 4, 1, 1)
    assert arm.warm == 4
    assert found[1].init > 0
    assert found[1].billed >= 1000 * 128 / 1024
    observation = watched.look()
    assert observation.source == TELEMETRY
    assert 0.1 < observation.delay < 10


def test_a_version_that_another_alias_has_too_is_left_to_the_metrics(scene: Scene) -> None:
    function = scene.function(code=CODE)
    scene.lambdas.create_alias(FunctionName=function.name, Name="beta", FunctionVersion=function.stable)
    reason = read_profiles(scene.lambdas, [function])["Place"].reason
    assert reason == (
        f"requests may come to version {function.stable} by beta too, and a log does not tell by which alias "
        "one came"
    )


def test_the_last_day_is_the_stable_versions(scene: Scene) -> None:
    watched = Watched(scene, collects=False)
    scene.move(watched.function, "1")
    watched.invoke("live", [{}, {"sleep": 0.05}, {"raise": True}])
    scene.move(watched.function, "2")
    watched.invoke("live", [{}])
    profiles = read_profiles(scene.lambdas, [watched.function])

    def read() -> Any:
        now = datetime.now(UTC) + timedelta(seconds=1)
        found = read_history(watched.stage.cloudwatch, [watched.function], profiles, now)["Place"]
        return found if found.requests == 3 else None

    history = eventually(read)
    assert history.errors == 1
    slow = history.thresholds.slow
    assert len(slow) == 4
    assert slow == tuple(sorted(slow))
    assert slow[3] > 50
    assert history.thresholds.costly == pytest.approx([value / 8 for value in slow])


def test_an_asynchronous_retry_is_an_attempt_of_its_own(scene: Scene) -> None:
    watched = Watched(scene)
    watched.arm()
    watched.shift()
    scene.lambdas.invoke(
        FunctionName=watched.function.name, Qualifier="2", InvocationType="Event", Payload='{"raise": true}'
    )
    _, canary = watched.gather(3)
    assert (canary.requests, canary.failed) == (3, 3)


def test_arming_and_disarming_may_be_repeated(scene: Scene) -> None:
    watched = Watched(scene)
    name = f"tidegate-{scene.service}-{scene.staging}"
    assert watched.arm() == watched.arm()
    assert watched.filters() == [name]
    assert {item["pk"]["S"].split("#")[0] for item in watched.items()} == {"watch", "rollout"}
    assert telemetry.disarm(watched.stage, scene.ref)
    assert telemetry.disarm(watched.stage, scene.ref)
    assert not watched.filters()
    assert not watched.items()
    assert watched.look().source == METRICS


class Failing:
    """A stage whose client of one service fails at one call of a method."""

    error: Exception = ConnectionError("no way")

    def __init__(self, stage: StageTools, service: str, method: str, call: int, *, after: bool) -> None:
        self._stage, self._service, self._method = stage, service, method
        self._left, self._after = call, after

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._stage, name)
        return _Client(found, self) if name == self._service else found

    def count(self, method: str) -> bool:
        self._left -= method == self._method
        return method == self._method and self._left == 0

    @property
    def after(self) -> bool:
        return self._after


class _Client:
    def __init__(self, client: Any, failing: Failing) -> None:
        self._client, self._failing = client, failing

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)

        def run(**arguments: Any) -> Any:
            fails = self._failing.count(name)
            if fails and not self._failing.after:
                raise self._failing.error
            answer = call(**arguments)
            if fails:
                raise self._failing.error
            return answer

        return call if name in {"get_paginator", "exceptions"} else run


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("service", "method", "call"),
    [("tables", "put_item", n) for n in (1, 2, 3, 4)] + [("logs", "put_subscription_filter", 1)],
)
def test_whatever_fails_while_arming_is_made_good_or_taken_back(
    scene: Scene, service: str, method: str, call: int, *, after: bool
) -> None:
    watched = Watched(scene)
    watched.logs.create_log_group(logGroupName=watched.function.log_group)
    whole = watched.stage
    profiles = {"Place": Profile()}
    arguments = (scene.ref, (watched.function,), profiles, MARK, datetime.now(UTC), PACE)
    failing: Any = Failing(whole, service, method, call, after=after)
    try:
        telemetry.arm(failing, *arguments)
    except ConnectionError:
        assert call < 4
    telemetry.disarm(whole, scene.ref)
    assert (watched.filters(), watched.items()) == ([], [])
    failing = Failing(whole, service, method, call, after=after)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(failing, "_left", call)
        try:
            telemetry.arm(failing, *arguments)
        except ConnectionError:
            assert telemetry.arm(whole, *arguments)[0].armed
    assert len(watched.filters()) == 1
    telemetry.disarm(whole, scene.ref)
    assert (watched.filters(), watched.items()) == ([], [])


def test_a_release_that_comes_late_takes_nothing_from_the_next_one(scene: Scene) -> None:
    watched = Watched(scene)
    earlier = scene.ref
    watched.arm()
    scene.next_release()
    watched.arm()
    watches = [item["sk"]["S"] for item in watched.items() if item["pk"]["S"].startswith("watch#")]
    assert watches == [f"{scene.service}#{scene.ref.id}#Place"]
    telemetry.disarm(watched.stage, earlier)
    assert len(watched.filters()) == 1
    telemetry.disarm(watched.stage, scene.ref)
    assert (watched.filters(), watched.items()) == ([], [])


@pytest.mark.parametrize(
    ("code", "status", "passes"),
    [
        ("LimitExceededException", 400, False),
        ("InvalidOperationException", 400, False),
        ("ThrottlingException", 400, True),
        ("OperationAbortedException", 400, True),
        ("InternalFailure", 500, True),
    ],
)
def test_a_refusal_is_told_from_a_fault_that_passes(
    scene: Scene, code: str, status: int, *, passes: bool
) -> None:
    watched = Watched(scene, collects=False)
    error: Any = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    failing: Any = Failing(watched.stage, "logs", "put_subscription_filter", 1, after=False)
    failing.error = ClientError(error, "PutSubscriptionFilter")
    profiles = {"Place": Profile()}
    arguments = (failing, scene.ref, (watched.function,), profiles, MARK, datetime.now(UTC), PACE)
    if passes:
        with pytest.raises(ClientError):
            telemetry.arm(*arguments)
    else:
        assert watched.function.log_group in telemetry.arm(*arguments)[0].reason


def test_a_function_that_cannot_be_watched_says_why(scene: Scene) -> None:
    watched = Watched(scene)
    group = watched.function.log_group
    watched.logs.create_log_group(logGroupName=group)
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{collector(scene.staging)}"
    for name in ("one", "two"):
        watched.logs.put_subscription_filter(
            logGroupName=group, filterName=name, filterPattern="", destinationArn=arn
        )
    (arming,) = watched.arm()
    assert arming.reason == f"both subscriptions of the log group {group} are taken"
    assert not arming.armed
    assert watched.look().source == METRICS
    telemetry.disarm(watched.stage, scene.ref)
    assert sorted(watched.filters()) == ["one", "two"]


def test_without_its_collector_a_stage_says_so(scene: Scene) -> None:
    watched = Watched(scene, collects=False)
    (arming,) = watched.arm()
    assert "does not deliver from" in arming.reason
    (arming,) = watched.arm(watched.function.model_copy(update={"logical_id": "X"}), mark="[ip, user]")[1:]
    assert "space-delimited" in arming.reason


@pytest.mark.parametrize(
    ("configuration", "words"),
    [
        ({"Runtime": "python3.13"}, ""),
        ({"Runtime": "nodejs24.x", "LoggingConfig": {"LogFormat": "Text"}}, ""),
        ({"Runtime": "java21"}, "java21"),
        ({"PackageType": "Image"}, "container image"),
        ({"Runtime": "java21", "LoggingConfig": {"LogFormat": "JSON", "SystemLogLevel": "INFO"}}, ""),
        ({"Runtime": "python3.13", "LoggingConfig": {"LogFormat": "JSON", "SystemLogLevel": "WARN"}}, "WARN"),
    ],
)
def test_what_a_log_does_not_tell_is_known_beforehand(configuration: Any, words: str) -> None:
    reason = find_obstacle(configuration)
    assert bool(reason) is bool(words)
    assert words in reason


def delivery(group: str, stream: str, *messages: str, at: int) -> dict[str, Any]:
    document = {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": group,
        "logStream": stream,
        "subscriptionFilters": ["f"],
        "logEvents": [
            {"id": f"{stream}{index}{message[:80]}", "timestamp": at, "message": message}
            for index, message in enumerate(messages)
        ],
    }
    return {"awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(document).encode())).decode()}}


def report(number: int) -> str:
    metrics = {"durationMs": 5.0, "billedDurationMs": 6, "memorySizeMB": 128}
    record = {"requestId": f"r{number}", "metrics": metrics, "status": "success"}
    return json.dumps({"type": "platform.report", "record": record})


def test_redelivery_other_functions_and_control_messages_change_nothing(scene: Scene) -> None:
    watched = Watched(scene)
    function = watched.function.model_copy(update={"log_group": "/shared"})
    watched.arm(function, function.model_copy(update={"logical_id": "Other", "name": "other"}))
    length = batch_length(PACE)
    at = int(time.time() * 1000) // length * length + length - 1  # as late in its batch as can be
    collection = Collection(watched.tables, watched.table, lambda: at / 1000 + 1)
    for _ in range(3):
        collection.take(delivery("/shared", f"2026/11/21/{function.name}[2]aa", report(1), report(2), at=at))
        collection.take(delivery("/shared", f"2026/11/21/{function.name}[9]aa", report(3), at=at))
        collection.take(delivery("/shared", "2026/11/21/stranger[2]aa", report(4), at=at))
        collection.take(delivery("/unwatched", "2026/11/21/[2]aa", report(5), at=at))
    control = {"messageType": "CONTROL_MESSAGE", "logGroup": "", "logStream": "", "logEvents": []}
    packed = base64.b64encode(gzip.compress(json.dumps(control).encode())).decode()
    assert collection.take({"awslogs": {"data": packed}}) == 0
    shares = [item for item in watched.items() if "attempts" in item]
    (share,) = shares
    assert len(share["attempts"]["BS"]) == 2
    assert share["pk"]["S"] == f"{scene.service}#{scene.ref.id}#Place"
    assert share["sk"]["S"].startswith(f"{at + 1 - length:013d}#2#")
    assert int(share["expires"]["N"]) > time.time() + 86_400


def test_a_log_that_stays_silent_is_left_to_the_metrics(scene: Scene) -> None:
    watched = Watched(scene)
    watched.arm()
    for group in {watched.function.log_group}:
        name = f"tidegate-{scene.service}-{scene.staging}"
        watched.logs.delete_subscription_filter(logGroupName=group, filterName=name)
    watched.scene.move(watched.function, "1")
    watched.shifts = [(0.25, datetime.now(UTC) - timedelta(seconds=2))]
    batches: list[Any] = []

    def is_served() -> bool:
        scene.lambdas.invoke(FunctionName=watched.function.name, Qualifier="live")
        batches.extend(watched.look().batches)
        return bool(batches)

    eventually(is_served, seconds=30)
    assert "role" in watched.cursor.silent["Place"]
    assert all("#m" in batch.key for batch in batches)
    assert watched.look().source == METRICS
