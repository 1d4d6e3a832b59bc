"""Which triggers take a release back, and that taking the claim stops everybody else."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from functions.diagnose_rollback.handler import Request, Response, handle
from functions.diagnose_rollback.takeover import take_over
from tests.scene import eventually
from tidegate.adapters.counts import read_counts
from tidegate.domain.errors import ClaimLost
from tidegate.domain.ledger import ClaimState, Outcome

if TYPE_CHECKING:
    from tests.scene import Scene
    from tidegate.domain.rollouts import RollingFunction

ROLLBACK = "arn:aws:states:us-east-1:123456789012:execution:tidegate-rollback:r2"
CODE = """
def handler(event, context):
    if {number} == 2 or event.get("both"):
        raise ValueError("no luck")
"""


def alarm(scene: Scene, signal: str = "errors") -> dict[str, Any]:
    name = f"tidegate/{scene.service}/{scene.production}/Place/{signal}"
    detail = {"alarmName": name, "state": {"value": "ALARM", "reason": "Threshold Crossed"}}
    return {"id": "e1", "detail-type": "CloudWatch Alarm State Change", "detail": detail}


def ended(scene: Scene, status: str = "ABORTED", execution: str = "") -> dict[str, Any]:
    text = json.dumps({"commit": {"service": scene.service}})
    detail = {"executionArn": execution or scene.ref.execution, "status": status, "input": text}
    return {"detail-type": "Step Functions Execution Status Change", "detail": detail}


def asked(scene: Scene) -> dict[str, Any]:
    return {"detail-type": "Rollback Requested", "detail": {"service": scene.service, "reason": "it smells"}}


def diagnose(scene: Scene, event: dict[str, Any], execution: str = ROLLBACK) -> Response:
    return handle(Request(event=event, execution=execution), scene.tools)


def prepare(scene: Scene, weight: int, seconds_ago: float = 30) -> RollingFunction:
    """A release in its production stage, shifted a while ago."""
    scene.open()
    scene.snapshot()
    function = scene.function(code=CODE)
    scene.plan(scene.stage_plan(scene.production, scene.function_plan(function)))
    scene.rollout(scene.production, function)
    at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    with scene.at(at):
        scene.tools.record(
            scene.ref, "ShiftTraffic", "shifting", stage=scene.production, evidence={"weight": weight}
        )
    return function


def close(scene: Scene, outcome: Outcome, seconds_ago: float = 0) -> None:
    at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    scene.tools.ledger.close_release(scene.ref, outcome, "done", at, under=None)
    scene.tools.ledger.free_claim(scene.ref)


def assert_taken(scene: Scene, response: Response, error: str) -> None:
    assert response.action == "restored"
    assert response.release == scene.ref.model_copy(update={"epoch": 2})
    assert response.failure is not None
    assert response.failure.error == error
    claim = scene.tools.ledger.check_epoch(response.release)
    assert (claim.holder, claim.state) == (ROLLBACK, ClaimState.HELD)
    with pytest.raises(ClaimLost):
        scene.tools.ledger.check_epoch(scene.ref)


@pytest.mark.parametrize("status", ["ABORTED", "TIMED_OUT", "FAILED"])
def test_a_release_that_ended_without_repair_is_taken_back(scene: Scene, status: str) -> None:
    scene.open()
    response = diagnose(scene, ended(scene, status))
    assert_taken(scene, response, f"Execution{status.title().replace('_', '')}")
    assert "without repairing what it changed" in scene.told()[0]


def test_a_release_that_repaired_itself_is_left_alone(scene: Scene) -> None:
    scene.open()
    close(scene, Outcome.ROLLED_BACK)
    response = diagnose(scene, ended(scene, "FAILED"))
    assert (response.action, response.release) == ("ignore", None)
    scene.claim()
    assert diagnose(scene, ended(scene, execution="arn:another")).action == "ignore"


def test_a_release_that_was_stopped_when_it_was_complete_is_not_taken_back(scene: Scene) -> None:
    """Closed as promoted, and stopped before it freed its claim: only the claim is left."""
    scene.open()
    scene.tools.ledger.close_release(scene.ref, Outcome.PROMOTED, "", scene.tools.now(), under=scene.ref)
    response = diagnose(scene, ended(scene, "ABORTED"))
    assert (response.action, response.release) == ("ignore", None)
    assert response.reason == f"release {scene.ref.id} was promoted before: its claim is free now"
    claim = scene.tools.ledger.read_claim(scene.service)
    assert claim is not None
    assert claim.state is ClaimState.FREE


def test_a_retry_goes_on_with_what_it_has(scene: Scene) -> None:
    scene.open()
    first = diagnose(scene, ended(scene))
    again = diagnose(scene, ended(scene))
    assert (again.action, again.release) == ("restored", first.release)
    assert len(scene.told()) == 2


def test_an_operator_takes_back_what_runs_or_has_completed(scene: Scene) -> None:
    scene.open()
    assert_taken(scene, diagnose(scene, asked(scene)), "OperatorRequest")


@pytest.mark.parametrize("outcome", [Outcome.PROMOTED, Outcome.ROLLED_BACK, Outcome.REJECTED])
def test_an_operator_takes_back_a_completed_release_only(scene: Scene, outcome: Outcome) -> None:
    scene.open()
    close(scene, outcome)
    response = diagnose(scene, asked(scene))
    assert response.action == ("restored" if outcome is Outcome.PROMOTED else "ignore")


def test_an_operator_goes_on_where_a_rollback_gave_up(scene: Scene) -> None:
    scene.open()
    scene.claim(state=ClaimState.OPERATOR, holder="arn:execution:tidegate-rollback:r1")
    assert diagnose(scene, asked(scene)).action == "restored"


def test_a_rollback_that_runs_is_not_disturbed(scene: Scene) -> None:
    scene.open()
    holder = scene.run("r1", machine="tidegate-rollback")
    scene.claim(holder=holder)
    response = diagnose(scene, asked(scene))
    assert response.action == "ignore"
    assert "is rolling" in response.reason
    scene.cloud.client("stepfunctions").stop_execution(executionArn=holder)
    assert diagnose(scene, asked(scene)).action == "restored"


def test_what_was_never_released_and_what_is_unrelated_is_ignored(scene: Scene) -> None:
    assert diagnose(scene, asked(scene)).reason == f"{scene.service} has never been released"
    assert diagnose(scene, {"detail-type": "Other"}).action == "ignore"


def test_after_the_promotion_an_alarm_takes_the_release_back(scene: Scene) -> None:
    prepare(scene, 100)
    response = diagnose(scene, alarm(scene))
    assert_taken(scene, response, "AlarmFired")
    assert response.reason == (
        f"alarm errors of Place in {scene.production}: after the promotion: Threshold Crossed"
    )


@pytest.mark.parametrize(("seconds_ago", "action"), [(11, "restored"), (13, "ignore")])
def test_a_completed_release_is_taken_back_within_its_bake_only(
    scene: Scene, seconds_ago: float, action: str
) -> None:
    """600 s of bake are 12 s at this pace."""
    prepare(scene, 100)
    close(scene, Outcome.PROMOTED, seconds_ago)
    assert diagnose(scene, alarm(scene)).action == action


def test_an_alarm_after_a_rollback_or_before_any_shift_is_ignored(scene: Scene) -> None:
    scene.open()
    scene.plan()
    assert "has had no shift" in diagnose(scene, alarm(scene)).reason
    close(scene, Outcome.ROLLED_BACK)
    assert "is rolled_back already" in diagnose(scene, alarm(scene)).reason


def test_throttles_during_the_shift_only_hold(scene: Scene) -> None:
    prepare(scene, 10)
    response = diagnose(scene, alarm(scene, "throttles"))
    assert response.action == "ignore"
    assert "throttles are shared by both versions; no rollback" in response.reason
    assert scene.told()[-1] == response.reason
    scene.tools.ledger.check_epoch(scene.ref)


@pytest.mark.parametrize(("both", "action"), [(False, "restored"), (True, "ignore")])
def test_a_bad_version_is_told_from_a_downstream_that_hurts_both(
    scene: Scene, both: bool, action: str
) -> None:
    function = prepare(scene, 50)
    for version in ("1", "2"):
        scene.move(function, version)
        for _ in range(6):
            body = json.dumps({"both": both})
            scene.lambdas.invoke(FunctionName=function.name, Qualifier="live", Payload=body)
    stage = scene.tools.stage(scene.production)

    def arrived() -> bool:
        span = datetime.now(UTC) - timedelta(seconds=30), datetime.now(UTC) - timedelta(seconds=3)
        found = read_counts(stage, [function], span, 1, '{ $.level = "ERROR" }')["Place"]
        return found.stable.requests == found.canary.requests == 6

    eventually(arrived)
    found = diagnose(scene, alarm(scene))
    assert found.action == action
    assert ("both versions alike" if both else "the new version: canary failed 6 of 6") in found.reason


def test_of_two_who_take_over_one_wins(scene: Scene) -> None:
    claim = scene.open() and scene.tools.ledger.check_epoch(scene.ref)
    take_over(claim, ROLLBACK, scene.tools)
    with pytest.raises(ClaimLost, match="changed hands during the diagnosis"):
        take_over(claim, "arn:other", scene.tools)


def test_what_the_stable_version_raised_before_the_first_shift_keeps_no_fix_from_going_on(
    scene: Scene,
) -> None:
    prepare(scene, 100)
    event = alarm(scene)
    event["detail"]["state"]["timestamp"] = (datetime.now(UTC) - timedelta(minutes=2)).isoformat()
    response = diagnose(scene, event)
    assert response.action == "ignore"
    said = "it was raised before the first shift, by the stable version alone; no rollback"
    assert response.reason.endswith(said)
    assert scene.told()[-1] == response.reason


def test_a_stable_version_that_raised_the_same_alarm_is_asked_for_its_history_first(scene: Scene) -> None:
    """Nothing can be read of it here, so going back is the safe side."""
    prepare(scene, 100)
    tools = scene.tools
    tools.record(
        scene.ref, "DiagnoseRollback", "-", stage=scene.production, evidence={"stable": "Place/errors"}
    )
    response = diagnose(scene, alarm(scene))
    assert response.action == "restored"
    assert "the stable one failed 0 of 0 requests before the release" in response.reason


def test_after_the_restore_the_numbers_and_the_kind_of_change_are_told(scene: Scene) -> None:
    prepare(scene, 100)
    diagnose(scene, alarm(scene))
    assert scene.told()[-1] == (
        "the new version failed 0 of 0 requests since the promotion, the stable one failed 0 of 0 requests in "
        "the hour before the release's first shift; the release changed its code"
    )
