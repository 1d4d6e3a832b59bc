from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from functions.restore_traffic.handler import Request as Restore
from functions.restore_traffic.handler import handle as restore
from functions.verify_recovery.handler import LOOK_SECONDS, Request, Response, handle
from functions.verify_recovery.signals import find_trouble
from tests.scene import eventually
from tidegate.domain.errors import ClaimLost
from tidegate.domain.ledger import ClaimState, Failure, Outcome
from tidegate.domain.recovery import LOOKS
from tidegate.domain.rollouts import ARRIVAL

if TYPE_CHECKING:
    from tests.scene import Scene
    from tidegate.domain.rollouts import RollingFunction

FAILURE = Failure(state="JudgeCanary", error="CanaryFailed", cause="Place: canary failed 9 of 9 requests")
SICK = "def handler(event, context):\n    raise ValueError({number})\n"


def prepare(scene: Scene, *, shifted: bool = True, **function: Any) -> RollingFunction:
    scene.open()
    scene.snapshot()
    rolling = scene.function(**function)
    scene.plan(scene.stage_plan(scene.production, scene.function_plan(rolling)))
    scene.rollout(scene.production, rolling)
    if shifted:
        scene.tools.record(scene.ref, "ShiftTraffic", "shifting", stage=scene.production, key="0")
    return rolling


def verify(scene: Scene, looks: int = 0, *, undone: bool = True) -> Response:
    request = Request(release=scene.ref, failure=FAILURE, undone=undone, looks=looks)
    return handle(request, scene.tools)


def claim_state(scene: Scene) -> ClaimState:
    claim = scene.tools.ledger.read_claim(scene.service)
    assert claim is not None
    return claim.state


def mark(scene: Scene, function: RollingFunction, description: str) -> None:
    scene.lambdas.update_alias(FunctionName=function.name, Name="live", Description=description)


def test_stacks_come_first(scene: Scene) -> None:
    prepare(scene)
    response = verify(scene, undone=False)
    assert (response.status, response.looks, response.wait_seconds) == ("verifying", 0, 15)
    assert claim_state(scene) is ClaimState.HELD


@pytest.mark.parametrize(
    ("shifted", "outcome", "event"),
    [(True, Outcome.ROLLED_BACK, "Release Rolled Back"), (False, Outcome.REJECTED, "Release Rejected")],
)
def test_the_end_is_recorded_told_and_frees_the_claim(
    scene: Scene, *, shifted: bool, outcome: Outcome, event: str
) -> None:
    prepare(scene, shifted=shifted)
    scene.listen()
    response = verify(scene)
    assert response.status == outcome.value
    release = scene.tools.ledger.release(scene.ref)
    assert (release.outcome, release.reason) == (outcome, FAILURE.reason)
    assert claim_state(scene) is ClaimState.FREE
    heard = scene.heard()
    assert heard["detail-type"] == event
    assert FAILURE.reason in heard["detail"]["message"]


@pytest.mark.parametrize("state", [ClaimState.FREE, ClaimState.OPERATOR], ids=str)
def test_the_end_is_kept_where_nobody_can_be_told(scene: Scene, state: ClaimState) -> None:
    function = prepare(scene)
    if state is ClaimState.OPERATOR:
        scene.move(function, "1", v2=0.1)
    scene.refuse_events()
    with pytest.raises(ClientError, match="InternalFailure"):
        verify(scene, LOOKS)
    assert claim_state(scene) is ClaimState.HELD
    assert verify(scene, LOOKS).status == ("rolled_back" if state is ClaimState.FREE else "needs_operator")
    assert claim_state(scene) is state
    assert any("could not be told" in one for one in scene.told())


def test_an_alias_that_is_still_split_is_trouble_until_an_operator_is_needed(scene: Scene) -> None:
    function = prepare(scene)
    scene.move(function, "1", v2=0.1)
    first = verify(scene, LOOKS - 1)
    assert (first.status, first.looks) == ("verifying", LOOKS)
    assert "is not on version 1" in first.reason
    scene.listen()
    last = verify(scene, LOOKS)
    assert last.status == "needs_operator"
    assert "not recovered" in last.reason
    assert claim_state(scene) is ClaimState.OPERATOR
    assert scene.tools.ledger.release(scene.ref).outcome is Outcome.NEEDS_OPERATOR
    assert scene.heard()["detail-type"] == "Operator Needed"


def test_a_rollback_that_lost_the_claim_and_wrote_late_is_put_right(scene: Scene) -> None:
    function = prepare(scene)
    scene.lose()
    scene.move(function, "2")
    mark(scene, function, f"Tidegate: release {scene.ref.id}, epoch {scene.ref.epoch}")
    taken = scene.make_ref(epoch=scene.ref.epoch + 1)
    handle(Request(release=taken, failure=FAILURE, undone=True, looks=0), scene.tools)
    assert scene.pointing(function).version == function.stable


def test_whoever_fled_to_an_older_version_is_not_overruled(scene: Scene) -> None:
    """The alias has the mark of the release before, which a person's own move has kept."""
    function = prepare(scene)
    mark(scene, function, "Tidegate: release fedcba987654-1, epoch 0")
    scene.change(function.name, "def handler(event, context):\n    return 'third'\n")
    third = scene.lambdas.publish_version(FunctionName=function.name)["Version"]
    scene.move(function, third)
    foreign = Failure(state="ShiftTraffic", error="ForeignChange", cause="somebody else moved it")
    restore(Restore(release=scene.ref, failure=foreign), scene.tools)
    response = handle(Request(release=scene.ref, failure=foreign, undone=True, looks=LOOKS), scene.tools)
    assert response.status == "needs_operator"
    assert f"{function.name}:live is not on version 1" in response.reason
    assert scene.pointing(function).version == third


def test_a_stable_version_that_fails_is_trouble(scene: Scene) -> None:
    function = prepare(scene, code=SICK)
    assert find_trouble(scene.ref, None, scene.tools) == ""
    restore(Restore(release=scene.ref, failure=FAILURE), scene.tools)

    def trouble() -> str:
        scene.lambdas.invoke(FunctionName=function.name, Qualifier="live", Payload=json.dumps({}))
        said = find_trouble(scene.ref, None, scene.tools)
        return said if "failed" in said else ""

    found = eventually(trouble)
    assert found.startswith(f"Place in {scene.production}: stable failed ")
    assert found.endswith(" since the restore")
    assert verify(scene).status == "verifying"


@pytest.mark.parametrize("shifted", [True, False])
def test_what_cannot_be_read_yet_is_no_recovery(scene: Scene, *, shifted: bool) -> None:
    """The first look after the restore knows nothing. Where nothing shifted, nobody waits."""
    prepare(scene, shifted=shifted)
    restore(Restore(release=scene.ref, failure=FAILURE), scene.tools)
    if not shifted:
        assert verify(scene).status == "rejected"
        return
    first = verify(scene)
    assert (first.status, first.looks) == ("verifying", 1)
    assert first.reason == "no whole minute since the restore can be read yet"
    eventually(lambda: verify(scene, 1).status == "rolled_back")


def test_what_ended_before_its_plan_has_no_signals(scene: Scene) -> None:
    scene.open()
    response = verify(scene)
    assert response.status == "rejected"
    assert datetime.now(UTC) - scene.tools.ledger.entries(scene.service, scene.ref.id)[0].at < timedelta(
        minutes=1
    )


def test_a_later_rollback_is_left_alone(scene: Scene) -> None:
    prepare(scene)
    scene.lose()
    with pytest.raises(ClaimLost):
        verify(scene)
    assert scene.tools.ledger.release(scene.ref).outcome is Outcome.OPEN


@pytest.mark.parametrize("state", ["RestoreTraffic", "UndoRelease"])
def test_a_repair_that_failed_is_an_operators_matter(scene: Scene, state: str) -> None:
    prepare(scene)
    failure = Failure(state=state, error="StackNeedsOperator", cause="stack s is UPDATE_ROLLBACK_FAILED")
    response = handle(Request(release=scene.ref, failure=failure, undone=False, looks=0), scene.tools)
    assert response.status == "needs_operator"
    assert response.reason.startswith(f"{state}: StackNeedsOperator: stack s is UPDATE_ROLLBACK_FAILED")
    assert claim_state(scene) is ClaimState.OPERATOR


def test_there_is_time_to_see_a_recovery_after_its_first_minute_can_be_read() -> None:
    readable = (2 + ARRIVAL) * 60  # the minute of the restore, a whole one, and those on their way
    assert 2 * readable <= LOOKS * LOOK_SECONDS
