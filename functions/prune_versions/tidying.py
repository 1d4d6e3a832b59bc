"""What releases left behind in a stage goes: alarms, telemetry, held rights, provisioned concurrency.

LeaveStage and UndoRelease do that at their time. This is for what they could not take away, and for a call of
theirs that came through late: Lambda has no condition on a claim, so a handler that is held up past its check
gives a version provisioned concurrency after a rollback has looked. Each thing goes only while the claim is
free under the epoch that the janitor's turn began with: a release that begins meanwhile has its own. What
cannot go is told, and keeps no version from its turn.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from tidegate.adapters.answers import UNANSWERED
from tidegate.adapters.provisioning import find_scaled, unscale
from tidegate.adapters.stacks import delete, find_stack
from tidegate.adapters.telemetry import disarm, read_armings
from tidegate.domain.guards import guard_name
from tidegate.domain.ledger import ClaimState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tidegate.domain.ledger import Claim
    from tidegate.task import StageTools, Tools


@dataclass(frozen=True)
class Tidying:
    """What one turn takes away for one service; `said` grows, a sentence for each thing.

    claim: as the turn found it or raised it. In a dry run nothing is taken away.
    """

    claim: Claim
    tools: Tools
    dry_run: bool
    said: list[str] = field(default_factory=list)

    def take(self, what: str, work: Callable[[], object]) -> bool:
        """Take a thing away; False where it stays."""
        if self.dry_run:
            self.said.append(f"{what}: would go")
            return True
        claim = self.tools.ledger.read_claim(self.claim.service)
        if claim is None or (claim.state, claim.epoch) != (ClaimState.FREE, self.claim.epoch):
            self.said.append(f"{what}: stays, since a release has just begun")
            return False
        try:
            work()
        except (ClientError, *UNANSWERED) as error:
            self.said.append(f"{what}: stays: {error}")
            return False
        self.said.append(f"{what}: goes")
        return True


def tidy_stage(stage: str, releases: Iterable[str], tidying: Tidying) -> None:
    """All but provisioned concurrency; `releases` are those whose telemetry may still be armed."""
    clients, service = tidying.tools.stage(stage), tidying.claim.service
    _take_guards(service, stage, clients, tidying)
    last = tidying.claim.release
    for ref in [last.model_copy(update={"id": release}) for release in sorted({last.id, *releases})]:
        if read_armings(clients, ref):
            what = f"telemetry of release {ref.id} in {stage}"
            tidying.take(what, lambda ref=ref: disarm(clients, ref))  # type: ignore[misc]
    holds = tidying.tools.side_stacks(last, stage)
    if holds.has_holds():
        tidying.take(f"rights that were held in {stage}", holds.take_holds)


def _take_guards(service: str, stage: str, clients: StageTools, tidying: Tidying) -> None:
    client, role = clients.cloudformation, clients.target.cloudformation_role
    names: list[str] = []
    while find_stack(client, guard_name(service, stage, len(names))):
        names.append(guard_name(service, stage, len(names)))
    for name in reversed(names):  # the first one stands as long as any does
        tidying.take(f"the alarms of {name}", lambda name=name: delete(client, name, role))  # type: ignore[misc]


def take_provisioned(clients: StageTools, function: str, version: str, tidying: Tidying) -> bool:
    """Take a version's provisioned concurrency, which no alias uses, and its scaling before that."""

    def work() -> None:
        resource = f"function:{function}:{version}"
        if find_scaled(clients.scaling, [resource]):
            unscale(clients.scaling, resource)
        clients.functions.delete_provisioned_concurrency_config(FunctionName=function, Qualifier=version)

    return tidying.take(f"provisioned concurrency of {function}:{version}", work)
