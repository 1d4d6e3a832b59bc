"""The main job, from a pushed commit to its end: which way it takes, and what is live afterwards."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.pipelines.services import RAISES, RETURNS_500, compress
from tests.pipelines.traffic import Traffic
from tidegate.cli.approvals import answer
from tidegate.domain.ledger import Outcome

if TYPE_CHECKING:
    from tests.pipelines.services import Service
    from tidegate.cli.push import Pushed

OPEN = [
    "OpenRelease",
    "IsOpen",
    "CheckOutSource",
    "BuildFunctions",
    "BuildFunction",
    "TestFunction",
    "AuditRelease",
    "AttestRelease",
    "PlanRelease",
    "NextStage",
]
ENTER = [
    "EnterStage",
    "IsApprovalNeeded",
    "ProvisionStage",
    "PublishVersions",
    "SmokeTest",
    "IsRolling",
]
ASK = ["EnterStage", "IsApprovalNeeded", "AwaitApproval"]
LOOK = ["ShiftTraffic", "ObserveTraffic", "JudgeCanary"]
LEAVE = ["LeaveStage", "NextStage"]
UNDO = ["RestoreTraffic", "UndoRelease", "VerifyRecovery", "IsRecovered", "RolledBack"]
STAGING = [*ENTER, *LOOK, "IsJudged", *LEAVE]


def weights(service: Service, pushed: Pushed) -> list[float]:
    shifts = (e for e in service.entries(pushed) if (e.step, e.stage) == ("ShiftTraffic", "production"))
    return [entry.evidence["weight"] for entry in shifts]


def messages(service: Service, pushed: Pushed) -> list[str]:
    return [entry.what for entry in service.entries(pushed)]


def test_a_first_release_brings_up_both_stages(fresh: Service) -> None:
    fresh.live = fresh.change()
    pushed = fresh.release()
    assert fresh.outcome(pushed) is Outcome.PROMOTED, fresh.tell(pushed)
    assert compress(fresh.path(pushed)) == [*OPEN, *ENTER, *LEAVE, *ENTER, *LEAVE, "CompleteRelease"]
    assert fresh.stacks() == {f"{fresh.name}-{s}": "CREATE_COMPLETE" for s in ("staging", "production")}
    fresh.check_settled()


def test_a_good_change_is_promoted_in_steps(service: Service) -> None:
    service.live, service_before = service.change(), service.live
    with Traffic(service) as traffic:
        pushed = service.release()
    assert service.outcome(pushed) is Outcome.PROMOTED, service.tell(pushed)
    way = [*OPEN, *STAGING, *ENTER, *LOOK, "IsJudged", *LOOK, "IsJudged", *LEAVE, "CompleteRelease"]
    assert compress(service.path(pushed)) == way
    assert weights(service, pushed) == [50, 100]
    assert service.live != service_before
    assert set(traffic.answers) == {"answer"}
    service.check_settled()


def test_an_adaptive_rollout_grows_with_what_was_seen_to_the_promotion(service: Service) -> None:
    service.config["stages"]["production"] |= {"strategy": "adaptive", "margin": 20, "least_time": "1m"}
    service.live = service.change()
    with Traffic(service):
        pushed = service.release()
    assert service.outcome(pushed) is Outcome.PROMOTED, service.tell(pushed)
    given = weights(service, pushed)
    assert given == sorted(given)
    assert given[0] <= 10
    assert given[-2:] == [50, 100]
    assert any("are excluded" in what for what in messages(service, pushed)), service.tell(pushed)
    service.check_settled()


def test_the_judge_rolls_back_what_fails_more_than_the_stable_version(service: Service) -> None:
    """By the marks in its log: no metric of Lambda's tells of such failures, so no alarm is quicker."""
    service.change(RETURNS_500)
    with Traffic(service):
        pushed = service.release()
    assert service.outcome(pushed) is Outcome.ROLLED_BACK, service.tell(pushed)
    assert compress(service.path(pushed)) == [*OPEN, *STAGING, *ENTER, *LOOK, *UNDO]
    assert weights(service, pushed) == [50]
    assert "canary failed" in messages(service, pushed)[-1]
    service.check_settled()


def test_what_raises_is_rolled_back_by_the_judge_or_an_alarm(service: Service) -> None:
    service.change(RAISES)
    with Traffic(service):
        pushed = service.release()
    assert service.outcome(pushed) is Outcome.ROLLED_BACK, service.tell(pushed)
    assert weights(service, pushed) == [50]
    assert re.search("canary failed|alarm errors of", messages(service, pushed)[-1])
    service.check_settled()


def test_an_alarm_rolls_back_what_fails_after_the_promotion(service: Service) -> None:
    service.config["stages"]["production"]["bake"] = "20m"
    service.change('if event.get("strain"): raise RuntimeError("broken under strain")')
    with Traffic(service) as traffic:
        pushed = service.push()
        service.until(lambda: weights(service, pushed) == [50, 100], lambda: service.tell(pushed))
        traffic.payload = {"strain": True}
        service.await_end(pushed)
    assert service.outcome(pushed) is Outcome.ROLLED_BACK, service.tell(pushed)
    assert "alarm errors of" in messages(service, pushed)[-1]
    assert any(one["status"] == "SUCCEEDED" and "Alarm" in one["input"] for one in service.rollbacks())
    service.check_settled()


def test_a_change_of_configuration_alone_is_shifted_too(service: Service) -> None:
    service.properties["Environment"] = {"Variables": {"SUFFIX": "-configured"}}
    service.commit()
    with Traffic(service):
        pushed = service.release()
    assert service.outcome(pushed) is Outcome.PROMOTED, service.tell(pushed)
    assert weights(service, pushed) == [50, 100]
    assert service.path(pushed).count("BuildFunction") <= 1
    assert set(service.ask()) == {f"{service.live}-configured", service.live}
    service.reset()
    with Traffic(service):
        service.release_good()


class TestApproval:
    """A release that waits for a person before production."""

    @pytest.fixture(autouse=True)
    def _quick(self, service: Service) -> None:
        service.config["stages"]["production"] |= {"approval": "required", "strategy": "AllAtOnce"}

    def test_given(self, service: Service) -> None:
        service.live = service.change()
        pushed = service.push()
        service.await_entry(pushed, "AwaitApproval", "production")
        answer(service.pipeline, service.name, pushed.release_id)
        service.await_end(pushed)
        assert service.outcome(pushed) is Outcome.PROMOTED, service.tell(pushed)
        asked = [*OPEN, *STAGING, *ASK, *ENTER[2:], *LOOK, "IsJudged", *LEAVE, "CompleteRelease"]
        assert compress(service.path(pushed)) == asked
        service.check_settled()

    def test_refused(self, service: Service) -> None:
        service.change()
        pushed = service.push()
        service.await_entry(pushed, "AwaitApproval", "production")
        answer(service.pipeline, service.name, pushed.release_id, approve=False, comment="not today")
        service.await_end(pushed)
        assert service.outcome(pushed) is Outcome.ROLLED_BACK, service.tell(pushed)
        assert compress(service.path(pushed)) == [*OPEN, *STAGING, *ASK, *UNDO]
        assert "not today" in messages(service, pushed)[-1]
        service.check_settled()

    def test_given_by_nobody_in_time(self, service: Service) -> None:
        service.config["stages"]["production"]["approval_timeout"] = "1s"
        service.change()
        pushed = service.release()
        assert service.outcome(pushed) is Outcome.ROLLED_BACK, service.tell(pushed)
        assert compress(service.path(pushed)) == [*OPEN, *STAGING, *ASK, *UNDO]
        assert "AwaitApproval" in messages(service, pushed)[-1]
        service.check_settled()
