"""A handler's real process dies: before its code runs, after all but its answer, or between two AWS calls.

The harness of `make faults` ends threads at every call; this is the end of processes, at a moment for each lane.

Each task dies once on the way of one release, so that a case is a whole release: that it ends as it would have
ended, or back on the stable version, is what all of them must show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.pipelines.faults import Fault
from tests.pipelines.traffic import Traffic
from tidegate.cli.rollback import start_rollback
from tidegate.domain.ledger import Outcome

if TYPE_CHECKING:
    from tests.pipelines.services import Service

BEFORE = ("open-release", "check-out-source", "build-function", "test-function", "plan-release")
STAGE = ("enter-stage", "provision-stage", "publish-versions", "smoke-test", "shift-traffic", "judge-canary")
PROMOTION = (*STAGE, "leave-stage")
REPAIR = ("restore-traffic", "undo-release", "verify-recovery")
PRODUCTION = '"production"'
START: dict[str, Any] = {"at": "start"}
END: dict[str, Any] = {"at": "end"}
BETWEEN: dict[str, Any] = {"at": "call", "calls": 2}


def kills(names: tuple[str, ...], moment: dict[str, Any], *words: str) -> list[Fault]:
    return [Fault(f"tidegate-{name}", words=list(words), **moment) for name in names]


def name(moment: dict[str, Any]) -> str:
    return f"{moment['at']}-{moment['calls']}" if "calls" in moment else moment["at"]


@pytest.mark.parametrize("moment", [BETWEEN, END], ids=name)
def test_every_task_of_a_good_release(service: Service, moment: dict[str, Any]) -> None:
    faults = [
        *kills((*BEFORE, "complete-release"), moment),
        *kills(PROMOTION, moment, PRODUCTION),
    ]
    service.order(*faults)
    with Traffic(service):
        pushed = service.release_good()
    assert service.cloud.struck() == [1] * len(faults), service.tell(pushed)
    service.check_settled()


@pytest.mark.parametrize("moment", [START], ids=name)
def test_every_task_of_a_release_that_is_rolled_back(service: Service, moment: dict[str, Any]) -> None:
    """Nobody sends requests, so the evidence does not suffice."""
    service.config["stages"]["production"]["longest_hold"] = "1m"
    faults = [*kills(STAGE, moment, PRODUCTION), *kills(REPAIR, moment)]
    service.order(*faults)
    service.change()
    pushed = service.release()
    assert service.outcome(pushed) is Outcome.ROLLED_BACK, service.tell(pushed)
    assert service.cloud.struck() == [1] * len(faults), service.tell(pushed)
    service.check_settled()


@pytest.mark.parametrize("moment", [BETWEEN], ids=name)
def test_every_task_of_the_rollback_machine(service: Service, moment: dict[str, Any]) -> None:
    """DiagnoseRollback restores traffic itself, so RestoreTraffic has nothing to do there."""
    service.config["stages"]["production"]["strategy"] = "AllAtOnce"
    before = service.live
    pushed = service.release_good()
    faults = kills(("diagnose-rollback", *REPAIR[1:]), moment)
    service.order(*faults)
    execution = start_rollback(service.pipeline, service.name, "a test")
    service.until(lambda: service.describe(execution)["status"] != "RUNNING", lambda: service.tell(pushed))
    service.live = before
    assert service.describe(execution)["status"] == "SUCCEEDED", service.tell(pushed)
    assert service.outcome(pushed) is Outcome.ROLLED_BACK, service.tell(pushed)
    assert service.cloud.struck() == [1] * len(faults), service.tell(pushed)
    service.check_settled()


def test_the_next_release_succeeds(service: Service) -> None:
    with Traffic(service):
        service.release_good()
    service.check_settled()
