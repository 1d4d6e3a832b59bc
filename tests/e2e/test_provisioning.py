"""A function with provisioned concurrency, released and rolled back, and one that no rollout can work with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.pipelines.services import RAISES
from tests.pipelines.traffic import Traffic
from tidegate.domain.ledger import Outcome

if TYPE_CHECKING:
    from tests.pipelines.services import Service
    from tidegate.cli.push import Pushed


PATIENCE = 150.0  # each release waits in each stage until the version is ready


def promote(service: Service) -> Pushed:
    """A change that must be promoted, and is live from now on."""
    answer = service.change()
    pushed = service.push()
    service.await_end(pushed, PATIENCE)
    assert service.outcome(pushed) is Outcome.PROMOTED, service.tell(pushed)
    service.live = answer
    return pushed


def test_provisioned_concurrency_follows_the_version_that_is_live(fresh: Service) -> None:
    fresh.properties = {"ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 2}}
    promote(fresh)
    assert fresh.provided() == {"staging": {"1": 2}, "production": {"1": 2}}
    with Traffic(fresh) as traffic:
        promoted = promote(fresh)
    assert set(traffic.answers) == {"answer"}
    assert fresh.provided() == {"staging": {"2": 2}, "production": {"2": 2}}
    told = [entry.what for entry in fresh.entries(promoted)]
    assert any("provisioned executions are ready: 2 of Front version 2" in what for what in told)
    assert any("an hour with both" in what for what in told)
    fresh.check_settled()
    fresh.properties = {"ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 3}}
    fresh.change(RAISES)
    with Traffic(fresh):
        pushed = fresh.push()
        fresh.await_end(pushed, PATIENCE)
    assert fresh.outcome(pushed) is Outcome.ROLLED_BACK, fresh.tell(pushed)
    assert fresh.provided() == {"staging": {"2": 2}, "production": {"2": 2}}
    fresh.check_settled()


def test_a_function_that_the_commit_stops_is_refused_before_anything_is_touched(service: Service) -> None:
    service.properties = {"ReservedConcurrentExecutions": 0}
    service.change()
    pushed = service.release()
    service.check_rejected(pushed, "PlanRelease", "PreflightRefused", "Front: it is stopped")
    assert service.path(pushed)[-1] == "Rejected"
    assert "ProvisionStage" not in service.path(pushed)
