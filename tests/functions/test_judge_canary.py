"""One look at requests that were really served, at metrics as they are at that moment."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from functions.judge_canary.handler import Request, Response, handle
from tests.scene import eventually
from tidegate.adapters.samples import read_samples
from tidegate.domain.config import OnInsufficientEvidence, StageConfig
from tidegate.domain.errors import CanaryFailed, ClaimLost, InsufficientEvidence
from tidegate.domain.rollouts import Move, Shift

if TYPE_CHECKING:
    from tests.scene import Scene
    from tidegate.domain.rollouts import RollingFunction

CODE = """
def handler(event, context):
    if {number} == 2 and event["fail"]:
        raise ValueError("no luck")
"""


def prepare(scene: Scene, **config: Any) -> RollingFunction:
    scene.open()
    scene.snapshot()
    function = scene.function(code=CODE)
    settings = {"steps": (10, 50), "bake": 600, "minimum_invocations": 4, **config}
    stage = scene.stage_plan(
        scene.production, scene.function_plan(function), config=StageConfig.model_validate(settings)
    )
    scene.plan(stage)
    scene.rollout(scene.production, function)
    return function


def serve(scene: Scene, function: RollingFunction, count: int, *, fail: bool) -> None:
    """So many requests to each version, until their metrics can be read whole."""
    begun = datetime.now(UTC)
    for version in ("1", "2"):
        scene.move(function, version)
        for _ in range(count):
            body = json.dumps({"fail": fail})
            scene.lambdas.invoke(FunctionName=function.name, Qualifier="live", Payload=body)
    clients = scene.cloud.client("cloudwatch"), scene.cloud.client("logs")

    def arrived() -> bool:
        span = (begun - timedelta(seconds=2), datetime.now(UTC) - timedelta(seconds=3))
        (sample,) = read_samples(*clients, [function], span, 1, '{ $.level = "ERROR" }')
        return sample.stable.requests == sample.canary.requests == count

    eventually(arrived)


def look(scene: Scene, weight: int, seconds_ago: float) -> Response:
    shift = Shift(step=0, weight=weight, at=datetime.now(UTC) - timedelta(seconds=seconds_ago))
    return handle(Request(release=scene.ref, stage=scene.production, shift=shift), scene.tools)


def test_a_good_canary_gets_the_next_weight(scene: Scene) -> None:
    function = prepare(scene)
    serve(scene, function, 5, fail=False)
    scene.listen()
    move = look(scene, 50, 40)
    assert (move.next, move.weight) == (Move.SHIFT, 100)
    (entry,) = scene.tools.ledger.entries(scene.service, scene.ref.id)
    assert entry.what.startswith("advance at 50 %: Place: canary failed 0 of 5 requests")
    assert entry.evidence["evidence"][0]["canary"] == {"requests": 5, "failed": 0}
    assert scene.heard()["detail-type"] == "Verdict Reached"


def test_a_bad_canary_is_turned_back_with_the_numbers(scene: Scene) -> None:
    function = prepare(scene)
    serve(scene, function, 6, fail=True)
    scene.listen()
    with pytest.raises(CanaryFailed, match="Place: canary failed 6 of 6 requests, stable failed 0 of 6"):
        look(scene, 10, 40)
    assert "rollback at 10 %" in scene.told()[0]
    assert scene.heard()["detail-type"] == "Verdict Reached"


def test_silence_holds_and_ends_after_the_longest_hold(scene: Scene) -> None:
    prepare(scene)
    move = look(scene, 10, 5)
    assert (move.next, move.wait_seconds) == (Move.HOLD, 50)
    assert "not enough evidence: Place had 0 canary and 0 stable requests, 4 needed" in move.reason
    with pytest.raises(
        InsufficientEvidence, match=r"not enough evidence: .*; the longest hold of 72 s has passed"
    ):
        look(scene, 10, 73)


def test_silence_promotes_where_the_service_says_so(scene: Scene) -> None:
    prepare(scene, on_insufficient_evidence=OnInsufficientEvidence.PROMOTE)
    move = look(scene, 10, 73)
    assert (move.next, move.weight) == (Move.SHIFT, 50)


def test_at_all_traffic_the_bake_is_waited_for_and_left_to_the_alarms(scene: Scene) -> None:
    prepare(scene)
    baking = look(scene, 100, 5)
    assert baking.next is Move.HOLD
    assert 300 <= baking.wait_seconds <= 350
    assert look(scene, 100, 12.1).next is Move.LEAVE
    assert scene.told() == []


def test_without_the_claim_nobody_judges(scene: Scene) -> None:
    prepare(scene)
    scene.lose()
    with pytest.raises(ClaimLost):
        look(scene, 10, 5)
