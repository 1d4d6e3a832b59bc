"""An execution is stopped by hand in states that wait, and where a handler's real process then runs on.

At every call of every task it is stopped by the harness of `make faults`.

A stopped execution runs no Catch: the rollback machine must repair what it left, whatever a late handler does.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.pipelines.faults import Fault
from tidegate.cli.rollback import start_rollback
from tidegate.domain.ledger import ClaimState, Outcome

if TYPE_CHECKING:
    from tests.pipelines.services import Service
    from tidegate.cli.push import Pushed

AT_ONCE: dict[str, Any] = {"strategy": "AllAtOnce"}
SILENT: dict[str, Any] = {"longest_hold": "1m"}
ASKING: dict[str, Any] = {"approval": "required"}
PRODUCTION = '"production"'


def task(name: str, *words: str, seconds: float = 0, skip: int = 0) -> Fault:
    return Fault(f"tidegate-{name}", "stop", list(words), seconds=seconds, skip=skip)


def state(name: str, skip: int = 0) -> Fault:
    return Fault(name, "state", skip=skip)


CASES = [
    (task("await-approval"), ASKING),
    (task("provision-stage", skip=1), AT_ONCE),
    (task("publish-versions", '"staging"'), AT_ONCE),
    (task("shift-traffic", PRODUCTION), {}),
    (state("ObserveTraffic", skip=1), {}),
    (task("undo-release"), SILENT),
    (state("WaitForRecovery"), SILENT),
]


def name(case: object) -> str:
    return case.function.removeprefix("tidegate-") if isinstance(case, Fault) else ""


def stop(service: Service, fault: Fault, config: dict[str, Any]) -> Pushed:
    service.config["stages"]["production"] |= config
    service.change()
    service.order(Fault(**{**vars(fault), "words": list(fault.words)}))
    pushed = service.push()
    service.until(lambda: service.cloud.struck() == [1], lambda: service.tell(pushed))
    return pushed


@pytest.mark.parametrize(("fault", "config"), CASES, ids=name)
def test_what_a_stopped_release_left_is_repaired(
    service: Service, fault: Fault, config: dict[str, Any]
) -> None:
    pushed = stop(service, fault, config)
    service.await_end(pushed)
    assert service.describe(service.arn(pushed))["status"] == "ABORTED"
    assert service.outcome(pushed) in {Outcome.ROLLED_BACK, Outcome.REJECTED}, service.tell(pushed)
    service.check_settled()


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("open-release", AT_ONCE),
        ("provision-stage", AT_ONCE),
        ("shift-traffic", {}),
        ("complete-release", AT_ONCE),
    ],
)
def test_a_handler_that_comes_to_it_after_the_repair_changes_nothing(
    service: Service, name: str, config: dict[str, Any]
) -> None:
    pushed = stop(service, task(name, seconds=3), config)
    time.sleep(4)
    service.until(lambda: not service.running(), lambda: service.tell(pushed))
    if name != "open-release":
        assert service.outcome(pushed) in {Outcome.ROLLED_BACK, Outcome.REJECTED}, service.tell(pushed)
    service.check_settled()


def test_a_rollback_that_was_stopped_is_repaired_by_the_next(service: Service) -> None:
    service.config["stages"]["production"] |= AT_ONCE
    before = service.live
    pushed = service.release_good()
    service.order(Fault("tidegate-undo-release", "stop", machine="rollback"))
    start_rollback(service.pipeline, service.name, "stopped in a moment")
    service.until(lambda: service.cloud.struck() == [1], lambda: service.tell(pushed))
    service.until(lambda: not service.running(), lambda: service.tell(pushed))
    claim = service.claim()
    assert claim is not None
    assert claim.state is ClaimState.HELD
    start_rollback(service.pipeline, service.name, "once more")
    service.live = before
    service.await_end(pushed)
    assert service.outcome(pushed) is Outcome.ROLLED_BACK, service.tell(pushed)
    service.check_settled()


def test_the_next_release_succeeds(service: Service) -> None:
    service.config["stages"]["production"] |= AT_ONCE
    service.release_good()
    service.check_settled()
