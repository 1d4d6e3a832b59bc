"""An execution is stopped by hand in each of its states, while the handler that runs then runs on.

A stopped execution runs no Catch: the rollback machine must repair what it left, whatever a late handler does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.pipelines.faults import Fault
from tidegate.cli.retry import retry_release
from tidegate.cli.rollback import start_rollback
from tidegate.domain.ledger import ClaimState, Outcome

if TYPE_CHECKING:
    from tests.pipelines.services import Service
    from tidegate.cli.push import Pushed

pytestmark = pytest.mark.xdist_group("stops")
AT_ONCE: dict[str, Any] = {"steps": []}
SILENT: dict[str, Any] = {"longest_hold": "1m"}
ASKING: dict[str, Any] = {"approval": "required"}
PRODUCTION = '"production"'


def task(name: str, *words: str) -> Fault:
    return Fault(f"tidegate-{name}", "stop", list(words))


def state(name: str, skip: int = 0) -> Fault:
    return Fault(name, "state", skip=skip)


CASES = [
    (task("open-release"), AT_ONCE),
    (task("check-out-source"), AT_ONCE),
    (task("build-function"), AT_ONCE),
    (task("test-function"), AT_ONCE),
    (task("plan-release"), AT_ONCE),
    (task("enter-stage", '"staging"'), AT_ONCE),
    (task("await-approval"), ASKING),
    (task("provision-stage", '"staging"'), AT_ONCE),
    (state("WaitForProvisioning"), AT_ONCE),
    (task("publish-versions", '"staging"'), AT_ONCE),
    (task("smoke-test", '"staging"'), AT_ONCE),
    (task("shift-traffic", PRODUCTION), {}),
    (state("ObserveTraffic", skip=1), {}),
    (task("judge-canary", PRODUCTION), {}),
    (task("leave-stage", PRODUCTION), AT_ONCE),
    (task("complete-release"), AT_ONCE),
    (task("restore-traffic"), SILENT),
    (task("undo-release"), SILENT),
    (task("verify-recovery"), SILENT),
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


def test_the_next_release_succeeds(service: Service) -> None:
    service.config["stages"]["production"] |= AT_ONCE
    service.release_good()
    service.check_settled()
