"""`tidegate rollback`: an operator's order to take a service's last release back, or to go back further.

Starts the same machine that an alarm starts; whether there is anything to take back is that machine's to say.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from tidegate.cli.failures import Failed
from tidegate.cli.following import POLL
from tidegate.cli.outcomes import Exit
from tidegate.cli.releases import never_released
from tidegate.cli.screens import show_entry
from tidegate.cli.targets import on_pipeline
from tidegate.cli.ways import choose_way, read_ways, show_ways
from tidegate.domain.pipeline import EVENT_SOURCE
from tidegate.domain.triggers import OPERATOR

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.cli.pipeline import Pipeline
    from tidegate.domain.identity import ReleaseRef
    from tidegate.domain.ledger import Entry


@click.command()
@click.argument("service")
@click.option("--to", "wanted", help="The release to go back to: its id, or the beginning of its commit's.")
@click.option("--stage", "stages", multiple=True, help="With --to: this stage only; may be given again.")
@click.option("--list", "listed", is_flag=True, help="Show the releases that one can go back to, and stop.")
@click.option("--json", "as_json", is_flag=True, help="With --list: print JSON for programs.")
@click.option("--reason", default="", help="Why; it stands in the ledger and in the notification.")
@click.option("--wait", is_flag=True, help="Follow the rollback to its end.")
@on_pipeline
def rollback(  # noqa: PLR0913 (an option each)
    pipeline: Pipeline,
    service: str,
    wanted: str | None,
    stages: tuple[str, ...],
    reason: str,
    *,
    listed: bool,
    as_json: bool,
    wait: bool,
) -> None:
    """Take the last release of SERVICE back: traffic first, then everything else that it changed.

    With --to, go back to any earlier release whose versions are kept, all functions at once; --list shows
    which. Works while a release is running (it is taken back first) and long after. With --wait the exit
    code is 0 when traffic is restored and recovery verified, 1 when nothing was done, 5 when an operator is
    needed.
    """
    if stages and wanted is None:
        raise click.UsageError("--stage goes with --to: a release is taken back in all its stages")
    if listed and (wanted or reason or wait):
        raise click.UsageError("--list only shows where one can go: not with --to, --reason or --wait")
    if as_json and not listed:
        raise click.UsageError("--json goes with --list")
    claim = pipeline.ledger.read_claim(service)
    if claim is None:
        raise never_released(pipeline.ledger, service)
    if listed:
        show_ways(pipeline, service, read_ways(pipeline, service), as_json=as_json)
        return
    to = choose_way(pipeline, service, wanted, stages) if wanted else ""
    execution = start_rollback(pipeline, service, reason, to, stages)
    doing = f"going back to {to}" if to else f"rolling back {service} {claim.release.id}"
    click.echo(f"{doing}: {execution.rpartition(':')[2]}")
    if wait:
        click.echo(follow_rollback(pipeline, execution, claim.release, show_entry))
    else:
        click.echo(f"see what it does with: tidegate status {service} last{pipeline.flag}")


def start_rollback(
    pipeline: Pipeline, service: str, reason: str, to: str = "", stages: tuple[str, ...] = ()
) -> str:
    """Start the rollback machine; gives the execution's ARN. The reason names who asks."""
    now = datetime.now(UTC)
    said = f"{reason or 'no reason given'} ({pipeline.identity})"
    detail: dict[str, Any] = {"service": service, "reason": said}
    if to:
        detail |= {"to": to, "stages": list(stages)}
    event = {"detail-type": OPERATOR, "source": EVENT_SOURCE, "detail": detail}
    started = pipeline.machines.start_execution(
        stateMachineArn=pipeline.resources.rollback_machine,
        name=f"operator-{service}-{now:%Y%m%dT%H%M%S%f}",
        input=json.dumps(event, sort_keys=True),
    )
    return started["executionArn"]


def follow_rollback(
    pipeline: Pipeline, execution: str, ref: ReleaseRef, show: Callable[[Entry], None]
) -> str:
    """Show what a rollback adds to the ledger until it has ended; the sentence that says how it did.

    `ref` is the release that is taken back; an order to go back has a release of its own, found by the
    execution. Failed where there was nothing to restore, or where it needs an operator.
    """
    seen = {entry.key for entry in pipeline.ledger.entries(ref.service, ref.id)}
    while True:
        found = pipeline.machines.describe_execution(executionArn=execution)
        claim = pipeline.ledger.read_claim(ref.service)
        if claim is not None and claim.holder == execution and claim.release.id != ref.id:
            ref, seen = claim.release, set()
        for entry in pipeline.ledger.entries(ref.service, ref.id):
            if entry.key not in seen:
                seen.add(entry.key)
                show(entry)
        if found["status"] != "RUNNING":
            return _conclude(found, ref)
        time.sleep(POLL)


def _conclude(found: Any, ref: ReleaseRef) -> str:  # noqa: ANN401 (DescribeExecution's answer)
    if found["status"] != "SUCCEEDED":
        why = ": ".join(filter(None, (found.get("error"), found.get("cause")))) or "no cause given"
        raise Failed(f"the rollback ended as {found['status']}: {why}", Exit.NEEDS_OPERATOR)
    output = json.loads(found.get("output") or "{}")
    reason = output.get("reason") or output.get("Cause") or "another rollback has taken over"
    if output.get("status") == "restored":
        return f"{ref.service} is restored: {reason}"
    if output.get("status") in {"rolled_back", "rejected"}:
        return f"{ref.service} {ref.id} is taken back: {reason}"
    raise Failed(f"{ref.service}: nothing was taken back by this rollback: {reason}")
