"""One look at requests as CloudWatch counted them, from which on the claim, the shift and the policy decide."""

from __future__ import annotations

import io
import json
import time
import zipfile
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from botocore.exceptions import ClientError

from functions.judge_canary.handler import Request, Response, handle
from functions.judge_canary.probes import PATIENCE, Answers, Pair, ask_pairs, choose_patience, count
from tests.scene import CODE
from tidegate.adapters.documents import release_prefix
from tidegate.adapters.gauges import write_gauges
from tidegate.adapters.plans import write_rollout
from tidegate.adapters.probing import Answer
from tidegate.adapters.trials import read_trial, write_trial
from tidegate.domain.batches import Arm, Batch
from tidegate.domain.config import ServiceConfig, StageConfig
from tidegate.domain.errors import CanaryFailed, ClaimLost, InsufficientEvidence
from tidegate.domain.gauges import Gauge, Gauges, Metric
from tidegate.domain.observing import LastDay, Thresholds
from tidegate.domain.rollouts import Move, Rollout, pace
from tidegate.domain.strategies import ALL
from tidegate.domain.trials import Span, begin_shift, begin_trial, end_shift

if TYPE_CHECKING:
    from datetime import datetime

    from functions.judge_canary.probes import Probed
    from tests.scene import Scene
    from tidegate.domain.rollouts import RollingFunction

SECOND = timedelta(seconds=1)
SCHEDULE = "Linear50PercentEvery1Minute"


def prepare(
    scene: Scene,
    weight: float = 50,
    seconds_ago: float = 30,
    limits: tuple[str, ...] = (),
    code: str = CODE,
    **config: Any,
) -> RollingFunction:
    """A rollout whose aliases have had this weight for so many seconds; a minute takes 1.2 s."""
    scene.open()
    scene.snapshot()
    function = scene.function(code=code)
    settings = {"strategy": SCHEDULE, "bake": 600, "minimum_invocations": 4, **config}
    stage = scene.stage_plan(
        scene.production, scene.function_plan(function), config=StageConfig.model_validate(settings)
    )
    scene.plan(stage)
    write_rollout(
        scene.tools.documents,
        scene.ref,
        Rollout(stage=scene.production, functions=(function,), limits=limits),
    )
    at = scene.began - seconds_ago * SECOND
    paced = pace(stage.config, scene.tools.settings.pace)
    trial = end_shift(begin_shift(begin_trial(paced, {"Place": LastDay()}, at, 4), 0, weight, at), at)
    write_trial(scene.tools.documents, scene.ref, scene.production, trial)
    return function


def serve(scene: Scene, function: RollingFunction, requests: int, stable: int, canary: int) -> None:
    """So many requests of each version in each of ten seconds, and how many of them failed."""
    clients = scene.cloud.client("cloudwatch")
    for version, failed in ((function.stable, stable), (function.canary, canary)):
        dimensions = [
            {"Name": "FunctionName", "Value": function.name},
            {"Name": "Resource", "Value": f"{function.name}:{function.alias}"},
            {"Name": "ExecutedVersion", "Value": version},
        ]
        data = [
            {
                "MetricName": name,
                "Dimensions": dimensions,
                "Timestamp": scene.began - ago * SECOND,
                "Value": value,
            }
            for ago in range(10, 20)
            for name, value in (("Invocations", requests), ("Errors", failed))
        ]
        clients.put_metric_data(Namespace="AWS/Lambda", MetricData=data)


def look(scene: Scene, now: datetime | None = None) -> Response:
    with scene.at(now or scene.began):
        return handle(Request(release=scene.ref, stage=scene.production), scene.tools)


def test_a_look_that_was_given_up_forgets_no_shift(scene: Scene) -> None:
    """The platform's answer was lost, so that another look came to its verdict while this one runs on."""
    serve(scene, prepare(scene), 5, 0, 0)
    documents = scene.tools.documents
    events, at = documents.client.meta.events, "before-send.s3.PutObject"

    def shift_meanwhile(**_: Any) -> None:
        events.unregister(at, shift_meanwhile)
        trial = read_trial(documents, scene.ref, scene.production)
        write_trial(documents, scene.ref, scene.production, begin_shift(trial, 1, 100, scene.began))

    events.register(at, shift_meanwhile)
    with pytest.raises(ClientError, match="PreconditionFailed"):
        look(scene)
    assert [one.step for one in read_trial(documents, scene.ref, scene.production).shifts] == [0, 1]
    look(scene)


def look_until(scene: Scene, seconds: int) -> None:
    for second in range(seconds):
        look(scene, scene.began + second * SECOND)


def test_a_good_canary_gets_the_next_weight(scene: Scene) -> None:
    function = prepare(scene)
    serve(scene, function, 5, 0, 0)
    scene.listen()
    move = look(scene)
    assert (move.next, move.weight) == (Move.SHIFT, 100)
    (entry,) = scene.tools.ledger.entries(scene.service, scene.ref.id)
    assert "at 50 %: " in entry.what
    (evidence,) = entry.evidence["functions"]
    assert (evidence["canary"]["requests"], evidence["canary"]["failed"]) == (50, 0)
    assert entry.evidence["source"] == "metrics"
    assert scene.heard()["detail-type"] == "Verdict Reached"


def test_a_bad_canary_is_turned_back_with_the_numbers(scene: Scene) -> None:
    function = prepare(scene)
    serve(scene, function, 5, 0, 5)
    scene.listen()
    with pytest.raises(CanaryFailed, match="Place: canary failed 50 of 50 requests, stable 0 of 50"):
        look(scene)
    assert "rollback at 50 %" in scene.told()[0]
    assert scene.heard()["detail-type"] == "Verdict Reached"


def test_a_request_counts_once_however_often_one_looks(scene: Scene) -> None:
    function = prepare(scene)
    serve(scene, function, 5, 0, 0)
    for _ in range(3):
        look(scene)
    trial = read_trial(scene.tools.documents, scene.ref, scene.production)
    assert trial.state.functions["Place"].canary.requests == 50
    assert len(scene.told()) <= 2


def test_silence_holds_and_ends_after_the_longest_hold(scene: Scene) -> None:
    prepare(scene)
    move = look(scene)
    assert (move.next, move.wait_seconds) == (Move.HOLD, 115)
    assert move.reason == "not enough evidence: Place served 0 requests with the new version, 4 needed"


def test_after_the_longest_hold_silence_is_no_promotion(scene: Scene) -> None:
    prepare(scene, seconds_ago=74)
    with pytest.raises(InsufficientEvidence) as caught:
        look(scene)
    assert str(caught.value) == (
        "not enough evidence after 73.2 seconds; no canary requests of Place; "
        "see `probes` and `on_insufficient_evidence` in tidegate.yaml"
    )


def test_silence_promotes_where_the_service_says_so(scene: Scene) -> None:
    prepare(scene, seconds_ago=74, on_insufficient_evidence="promote")
    move = look(scene)
    assert (move.next, move.weight) == (Move.SHIFT, 100)
    assert scene.told()[-1] == move.reason
    assert move.reason.startswith("advanced without enough evidence, as configured: ")


def test_an_adaptive_rollout_grows_with_what_was_seen(scene: Scene) -> None:
    function = prepare(scene, weight=1, strategy="adaptive")
    serve(scene, function, 5, 0, 0)
    move = look(scene)
    assert move.next is Move.SHIFT
    assert 1 < move.weight <= 50


def test_at_all_traffic_the_bake_is_waited_for_and_left_to_the_alarms(scene: Scene) -> None:
    prepare(scene, weight=100, seconds_ago=5)
    assert look(scene).next is Move.HOLD
    assert scene.told() == []


def test_after_the_bake_the_stage_is_left(scene: Scene) -> None:
    prepare(scene, weight=100, seconds_ago=12.1)
    assert look(scene).next is Move.LEAVE


USERS: Final[dict[str, Any]] = {
    "key": "k",
    "function": "Place",
    "weight": 0.5,
    "stable": Arm(),
    "canary": Arm(),
}


class Dying:
    """Lambda's client in a process that ends after so many invocations."""

    def __init__(self, client: Any, after: int) -> None:
        self.client, self.left = client, after

    def invoke(self, **arguments: Any) -> Any:
        if not self.left:
            raise SystemExit
        self.left -= 1
        return self.client.invoke(**arguments)


class TestProbes:
    """Where users send too little, both versions are asked alike."""

    @staticmethod
    def prepare(scene: Scene, code: str) -> RollingFunction:
        function = prepare(scene, code=code, strategy="adaptive", probes=5)
        config = ServiceConfig.model_validate({"smoke": {scene.production: {"Place": ["events/safe.json"]}}})
        scene.snapshot(config=config)
        body = io.BytesIO()
        with zipfile.ZipFile(body, "w") as archive:
            archive.writestr("events/safe.json", json.dumps({"safe": True}))
        key = f"{release_prefix(scene.ref)}source.zip"
        scene.tools.documents.write_bytes(key, body.getvalue())
        return function

    def test_they_top_up_the_evidence_for_a_promotion(self, scene: Scene) -> None:
        serve(scene, self.prepare(scene, CODE), 5, 0, 0)
        assert look(scene).next is Move.HOLD
        trial = read_trial(scene.tools.documents, scene.ref, scene.production)
        found = trial.state.functions["Place"]
        assert (found.probed_stable.requests, found.probed_canary.requests) == (5, 5)
        assert found.canary.requests == 50
        assert len(trial.probed) == 10

    @pytest.mark.parametrize("dying", [0, 1, 7])
    def test_a_look_that_dies_in_their_midst_leaves_nobodys_requests(self, scene: Scene, dying: int) -> None:
        """Their ids are lost with it, so that nothing that begins then can be told from users' requests."""
        serve(scene, self.prepare(scene, CODE), 5, 0, 0)
        stage = scene.tools.stage(scene.production)
        probing = stage.probing
        stage.probing = lambda patience: Dying(probing(patience), dying)  # type: ignore[method-assign]
        with pytest.raises(SystemExit):
            look(scene)
        trial = read_trial(scene.tools.documents, scene.ref, scene.production)
        found = [Batch(**USERS, at=scene.began.timestamp() + at, seconds=0.1) for at in (-1, 0.05, 60)]
        assert [trial.is_hidden(batch) for batch in found] == [False, True, False]
        assert not trial.probed
        stage.probing = probing  # type: ignore[method-assign]
        look(scene)
        trial = read_trial(scene.tools.documents, scene.ref, scene.production)
        assert [trial.is_hidden(batch) for batch in found] == [False, True, False]
        assert len(trial.probed) == 10

    def test_a_look_that_lives_hides_nothing(self, scene: Scene) -> None:
        self.prepare(scene, CODE)
        look(scene)
        assert not read_trial(scene.tools.documents, scene.ref, scene.production).unknown

    def test_they_turn_back_a_version_that_fails_on_them(self, scene: Scene) -> None:
        broken = "def handler(event, context):\n    return {'statusCode': 498 + {number}}\n"
        self.prepare(scene, broken)
        with pytest.raises(CanaryFailed, match=r"\(probes: \d+ of \d+, stable 0 of \d+\)"):
            look_until(scene, 9)

    @staticmethod
    def ask(scene: Scene, code: str, pairs: int = 2) -> tuple[dict[str, list[Answers]], Probed]:
        """What both versions answer within a second each."""
        function = scene.function(code="import time\n" + code)
        asked = [Pair(function, "safe", b"{}", "", 1, odd=bool(number % 2)) for number in range(pairs)]
        stage = scene.tools.stage(scene.production)
        given = ask_pairs(asked, scene.tools.now() + 60 * SECOND, stage, scene.tools)
        return given, count(
            given, scene.began, Span(begin=scene.began.timestamp(), end=scene.began.timestamp() + 2)
        )

    def test_one_that_hangs_fails_and_holds_nobody(self, scene: Scene) -> None:
        begun = time.monotonic()
        given, probed = self.ask(scene, "def handler(event, context):\n    time.sleep(20 * ({number} - 1))\n")
        assert time.monotonic() - begun < 15
        assert {pair.canary for pair in given["Place"]} == {
            Answer(failure="it did not answer within 1 s", request="")
        }
        (batch,) = probed.batches
        assert (batch.stable.requests, batch.stable.failed) == (2, 0)
        assert (batch.canary.requests, batch.canary.failed) == (2, 2)
        assert len(probed.requests) == 2
        assert probed.unknown == ("Place",)

    def test_what_both_versions_do_not_answer_speaks_against_neither(self, scene: Scene) -> None:
        _, probed = self.ask(scene, "def handler(event, context):\n    time.sleep(20)\n    return {number}\n")
        (batch,) = probed.batches
        assert (batch.stable.failed, batch.canary.failed) == (2, 2)

    def test_a_throttled_pair_counts_for_neither(self, scene: Scene) -> None:
        function = scene.function("Stopped")
        scene.lambdas.put_function_concurrency(FunctionName=function.name, ReservedConcurrentExecutions=0)
        pair = Pair(function, "safe", b"{}", "", 5, odd=False)
        stage, until = scene.tools.stage(scene.production), scene.tools.now() + 60 * SECOND
        given = ask_pairs([pair], until, stage, scene.tools)
        assert given == {"Stopped": [Answers(None, None)]}
        assert not count(given, scene.began, Span(begin=0, end=0)).batches

    def test_no_pair_begins_that_could_not_end(self, scene: Scene) -> None:
        function = scene.function()
        pair = Pair(function, "safe", b"{}", "", 20, odd=False)
        stage = scene.tools.stage(scene.production)
        assert ask_pairs([pair], scene.tools.now() + 39 * SECOND, stage, scene.tools) == {}

    def test_users_requests_are_left_out_where_a_probe_cannot_be_told_from_them(self, scene: Scene) -> None:
        function = self.prepare(scene, CODE)
        serve(scene, function, 5, 0, 0)
        trial = read_trial(scene.tools.documents, scene.ref, scene.production)
        span = Span(begin=scene.began.timestamp() - 16, end=scene.began.timestamp() - 15)
        write_trial(scene.tools.documents, scene.ref, scene.production, trial.hide(["Place"], span))
        look(scene)
        found = read_trial(scene.tools.documents, scene.ref, scene.production).state.functions["Place"]
        assert found.canary.requests < 50

    @pytest.mark.parametrize(("slow", "patience"), [((), 20), ((900.0,), 20), ((1500.0,), 30), ((1e5,), 60)])
    def test_the_patience_is_by_what_is_usual(self, slow: tuple[float, ...], patience: int) -> None:
        assert choose_patience(Thresholds(slow=slow)) == patience
        assert choose_patience(None) == PATIENCE[0]


class TestLimits:
    """Alarms that an operator has set as limits."""

    @pytest.fixture
    def alarm(self, scene: Scene) -> str:
        name = f"{scene.unique}-limit"
        scene.cloud.client("cloudwatch").put_metric_alarm(
            AlarmName=name,
            Namespace="Own",
            MetricName="Orders",
            Statistic="Sum",
            Period=86_400,
            EvaluationPeriods=1,
            ComparisonOperator="LessThanThreshold",
            Threshold=1,
            TreatMissingData="ignore",
        )
        return name

    @staticmethod
    def ring(scene: Scene, alarm: str) -> None:
        scene.cloud.client("cloudwatch").set_alarm_state(
            AlarmName=alarm, StateValue="ALARM", StateReason="a test"
        )

    @pytest.mark.parametrize("weight", [50, 100])
    def test_one_that_goes_off_ends_the_rollout(self, scene: Scene, alarm: str, weight: int) -> None:
        prepare(scene, weight, limits=(alarm,), seconds_ago=5)
        self.ring(scene, alarm)
        with pytest.raises(CanaryFailed, match=f"limit broken: alarm {alarm} went off"):
            look(scene)
        assert "limit broken" in scene.told()[0]

    def test_one_that_rang_before_does_not_keep_a_fix_from_going_out(self, scene: Scene, alarm: str) -> None:
        self.ring(scene, alarm)
        prepare(scene, limits=(alarm,), seconds_ago=-600)
        look(scene)
        assert f"alarm {alarm} was in ALARM before the first shift and does not count" in scene.told()[0]

    def test_a_quiet_one_says_nothing(self, scene: Scene, alarm: str) -> None:
        prepare(scene, limits=(alarm,))
        look(scene)
        assert "alarm" not in scene.told()[0]

    def test_one_that_is_not_there_any_more_holds_the_rollout(self, scene: Scene, alarm: str) -> None:
        """Evidence enough for the next step, and its time has come."""
        serve(scene, prepare(scene, limits=(alarm, "gone")), 200, 0, 0)
        assert look(scene).next is Move.HOLD
        assert scene.told()[0] == "hold shared at 50 %: alarm gone is a limit but does not exist"

    def test_one_that_is_not_there_in_the_bake_is_told_once(self, scene: Scene, alarm: str) -> None:
        prepare(scene, ALL, limits=(alarm, "gone"), seconds_ago=1)
        assert [look(scene).next for _ in range(2)] == [Move.HOLD] * 2
        assert scene.told() == ["alarm gone is a limit but does not exist: it cannot end the bake"]


def test_without_the_claim_nobody_judges(scene: Scene) -> None:
    prepare(scene)
    scene.lose()
    with pytest.raises(ClaimLost):
        look(scene)


class TestGauges:
    """What shows how both versions fare together; a minute takes 1.2 s, and so a period a second."""

    QUEUE = Metric(
        namespace="AWS/SQS", name="ApproximateNumberOfMessagesVisible", dimensions=(), stat="Maximum"
    )

    @classmethod
    def prepare(cls, scene: Scene, mode: str = "hold", weight: float = 50, **changes: Any) -> Gauge:
        function = prepare(
            scene, weight, seconds_ago=5 if weight == 100 else 30, signals={"queue_depth": mode}
        )
        if weight != 100:
            serve(scene, function, 5, 0, 0)
        metric = cls.QUEUE.model_copy(update={"dimensions": (("QueueName", scene.unique),)})
        values = {
            "guard": "queue_depth",
            "reading": "latest",
            "of": "queue q (Place)",
            "functions": ("Place",),
        }
        gauge = Gauge.model_validate({**values, "metric": metric, "floor": 100, "usual": 20, **changes})
        write_gauges(scene.tools.documents, scene.ref, scene.production, Gauges(gauges=(gauge,)))
        return gauge

    @staticmethod
    def wait_in_queue(scene: Scene, messages: int, ago: float = 2) -> None:
        data = {
            "MetricName": "ApproximateNumberOfMessagesVisible",
            "Dimensions": [{"Name": "QueueName", "Value": scene.unique}],
            "Timestamp": scene.began - ago * SECOND,
            "Value": messages,
        }
        scene.cloud.client("cloudwatch").put_metric_data(Namespace="AWS/SQS", MetricData=[data])

    def test_one_that_is_out_of_its_bounds_holds_a_good_canary_and_is_named(self, scene: Scene) -> None:
        self.prepare(scene)
        self.wait_in_queue(scene, 4210)
        move = look(scene)
        assert move.next is Move.HOLD
        assert move.reason == (
            "queue q (Place): 4,210 messages wait, at most 20 in the hour before the first shift"
        )
        assert scene.told() == [f"hold shared at 50 %: {move.reason}"]
        (entry,) = scene.tools.ledger.entries(scene.service, scene.ref.id)
        assert entry.evidence["gauges"]["holds"] == [move.reason]

    def test_when_it_is_within_them_again_the_rollout_goes_on(self, scene: Scene) -> None:
        self.prepare(scene)
        self.wait_in_queue(scene, 4210)
        assert look(scene).next is Move.HOLD
        self.wait_in_queue(scene, 3, ago=-1)
        assert look(scene, scene.began + 2 * SECOND).next is Move.SHIFT

    def test_one_that_was_as_bad_before_is_told_and_does_not_hold(self, scene: Scene) -> None:
        self.prepare(scene, usual=4000)
        self.wait_in_queue(scene, 4210)
        move = look(scene)
        assert move.next is Move.SHIFT
        assert move.reason.endswith("at most 4,000 in the hour before the first shift, which does not count")

    def test_silence_holds_nothing(self, scene: Scene) -> None:
        self.prepare(scene)
        assert look(scene).next is Move.SHIFT

    def test_one_that_is_only_observed_is_told(self, scene: Scene) -> None:
        self.prepare(scene, "observe")
        self.wait_in_queue(scene, 4210)
        move = look(scene)
        assert move.next is Move.SHIFT
        assert "4,210 messages wait" in move.reason
        assert move.reason.endswith("(only observed)")

    @pytest.mark.parametrize("weight", [50, 100])
    def test_one_that_is_enforced_ends_the_rollout_in_the_bake_too(self, scene: Scene, weight: float) -> None:
        self.prepare(scene, "enforce", weight)
        self.wait_in_queue(scene, 4210)
        with pytest.raises(CanaryFailed, match=r"the operator's limit.*queue q \(Place\): 4,210 messages"):
            look(scene)
        assert scene.told()[0].startswith("rollback")

    def test_in_the_bake_one_that_holds_is_not_asked_about(self, scene: Scene) -> None:
        self.prepare(scene, weight=100)
        self.wait_in_queue(scene, 4210)
        assert look(scene).next is Move.HOLD
        assert scene.told() == []

    def test_after_the_longest_hold_no_policy_goes_over_it(self, scene: Scene) -> None:
        self.prepare(scene)
        trial = read_trial(scene.tools.documents, scene.ref, scene.production)
        at = scene.began - 74 * SECOND
        shifts = tuple(shift.model_copy(update={"at": at, "began": at}) for shift in trial.shifts)
        state = trial.state.model_copy(update={"begun": at.timestamp()})
        write_trial(
            scene.tools.documents,
            scene.ref,
            scene.production,
            trial.model_copy(update={"shifts": shifts, "state": state}),
        )
        self.wait_in_queue(scene, 4210)
        with pytest.raises(InsufficientEvidence, match="4,210 messages wait"):
            look(scene)

    def test_they_are_read_once_a_period(self, scene: Scene) -> None:
        self.prepare(scene)
        look(scene)
        self.wait_in_queue(scene, 4210)
        assert look(scene, scene.began + 0.5 * SECOND).next is Move.SHIFT
        trial = read_trial(scene.tools.documents, scene.ref, scene.production)
        assert trial.gauged.at == scene.began.timestamp()
        assert look(scene, scene.began + SECOND).next is Move.HOLD
