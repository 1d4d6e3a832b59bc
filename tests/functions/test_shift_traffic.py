from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from functions.shift_traffic.handler import Request, Response, handle
from tidegate.adapters.plans import write_rollout
from tidegate.adapters.trials import read_trial, write_trial
from tidegate.domain.config import StageConfig
from tidegate.domain.errors import ClaimLost, ForeignChange
from tidegate.domain.observing import LastDay
from tidegate.domain.rollouts import RollingFunction, Rollout, point
from tidegate.domain.trials import begin_trial

if TYPE_CHECKING:
    from tests.scene import Scene


@pytest.fixture
def functions(scene: Scene) -> list[RollingFunction]:
    scene.open()
    found = [scene.function(name) for name in ("Place", "Ship")]
    scene.plan(scene.stage_plan(scene.production, *(scene.function_plan(function) for function in found)))
    scene.rollout(scene.production, *found)
    config = StageConfig().for_stage(production=True)
    trial = begin_trial(
        config, {function.logical_id: LastDay() for function in found}, datetime.now(UTC), 0.4
    )
    write_trial(scene.tools.documents, scene.ref, scene.production, trial)
    return found


def shift(scene: Scene, weight: float, step: int = 0) -> Response:
    request = Request(release=scene.ref, stage=scene.production, weight=weight, step=step)
    return handle(request, scene.tools)


def test_all_functions_get_their_weight_together(scene: Scene, functions: list[RollingFunction]) -> None:
    for step, weight in enumerate((0.1, 50, 100)):
        response = shift(scene, weight, step)
        assert [scene.pointing(function) for function in functions] == [point(f, weight) for f in functions]
        assert (response.shift.weight, response.shift.step) == (weight, step)
        assert response.wait_seconds == (40 if weight == 100 else 20)
    assert scene.told() == [
        "shifting 0.1 % to the new version of Place, Ship",
        "shifting 50 % to the new version of Place, Ship",
        "promoting Place, Ship",
    ]


def test_each_shift_is_one_call_for_a_function(scene: Scene, functions: list[RollingFunction]) -> None:
    """The first one goes by the revisions that PublishVersions read, the next by those that it made itself."""
    revisions = {f.logical_id: read_revision(scene, f) for f in functions}
    rollout = Rollout(stage=scene.production, functions=tuple(functions), revisions=revisions)
    write_rollout(scene.tools.documents, scene.ref, rollout)
    calls: list[str] = []
    client = scene.tools.stage(scene.production).functions
    client.meta.events.register("before-send.lambda", lambda event_name, **_: calls.append(event_name))
    for step, weight in enumerate((1, 50, 100)):
        shift(scene, weight, step)
        assert calls == ["before-send.lambda.UpdateAlias"] * 2
        assert [scene.pointing(function) for function in functions] == [point(f, weight) for f in functions]
        calls.clear()


def read_revision(scene: Scene, function: RollingFunction) -> str:
    return str(scene.lambdas.get_alias(FunctionName=function.name, Name="live")["RevisionId"])


def test_a_shift_is_told_in_words(scene: Scene, functions: list[RollingFunction]) -> None:
    scene.listen()
    shift(scene, 10)
    event = scene.heard()
    assert (event["detail-type"], event["detail"]["weight"]) == ("Traffic Shifted", 10)
    assert functions[0].logical_id in event["detail"]["message"]


def test_the_same_shift_twice_is_one(scene: Scene, functions: list[RollingFunction]) -> None:
    shift(scene, 10)
    revision = scene.lambdas.get_alias(FunctionName=functions[0].name, Name="live")["RevisionId"]
    shift(scene, 10)
    assert scene.lambdas.get_alias(FunctionName=functions[0].name, Name="live")["RevisionId"] == revision
    assert len(scene.told()) == 1
    trial = read_trial(scene.tools.documents, scene.ref, scene.production)
    assert [(one.step, one.weight, one.made) for one in trial.shifts] == [(0, 10, True)]


def test_the_decision_is_known_before_the_first_write(scene: Scene, functions: list[RollingFunction]) -> None:
    """Whatever happens to the writes: a rollback finds that traffic may have moved."""
    scene.move(functions[1], "$LATEST")
    with pytest.raises(ForeignChange):
        shift(scene, 10)
    assert len(scene.told()) == 1
    trial = read_trial(scene.tools.documents, scene.ref, scene.production)
    assert [(one.step, one.weight, one.made) for one in trial.shifts] == [(0, 10, False)]
    assert trial.weights == ()


def test_without_the_claim_nothing_moves(scene: Scene, functions: list[RollingFunction]) -> None:
    scene.lose()
    with pytest.raises(ClaimLost):
        shift(scene, 10)
    assert [scene.pointing(function) for function in functions] == [point(f, 0) for f in functions]


def test_waves_are_written_one_after_the_other(scene: Scene, functions: list[RollingFunction]) -> None:
    """The second wave is not begun where the first one is refused."""
    first, second = functions
    waves = (second.model_copy(update={"wave": 2}), first)
    write_rollout(scene.tools.documents, scene.ref, Rollout(stage=scene.production, functions=waves))
    order: list[str] = []
    client = scene.tools.stage(scene.production).functions

    def note(request: Any, **_: Any) -> None:
        if request.method == "PUT":
            order.append(request.url.split("/functions/")[1].split("/")[0])

    client.meta.events.register("before-send.lambda.UpdateAlias", note)
    shift(scene, 10)
    assert order == [first.name, second.name]
    scene.move(first, "1")
    with pytest.raises(ForeignChange):
        shift(scene, 50, 1)
    assert scene.pointing(second) == point(second, 10)
