"""The release's own execution, stopped once its traffic is restored by somebody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.adapters.executions import read_status

if TYPE_CHECKING:
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.ledger import Claim
    from tidegate.task import Tools


def stop_release(release: ReleaseRef, claim: Claim, tools: Tools) -> None:
    """Stop the execution if a rollback works for it; an execution that undoes itself goes on."""
    execution = release.execution
    if claim.holder == execution:
        return
    status = read_status(tools.machines, execution)
    if status == "RUNNING":
        cause = f"a rollback took the claim: {claim.holder}"
        tools.machines.stop_execution(executionArn=execution, error="RolledBack", cause=cause)
