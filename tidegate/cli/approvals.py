"""`tidegate approve` and `reject`: a person's answer to a release that waits before a stage.

The answer is recorded before it is sent: a release that went on must never lack the name of who let it. An
answer that came too late is recorded as such. Source: AWS Step Functions API Reference, "SendTaskSuccess".
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click
from botocore.exceptions import ClientError

from tidegate.cli.failures import Failed
from tidegate.cli.releases import find_release
from tidegate.cli.targets import on_pipeline
from tidegate.domain.approvals import ApprovalRequest, approval_key
from tidegate.domain.ledger import Entry, Outcome

if TYPE_CHECKING:
    from tidegate.adapters.ledger import Ledger
    from tidegate.cli.pipeline import Pipeline
    from tidegate.domain.ledger import Release

STEP: Final = "AwaitApproval"
VOID: Final = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})
STAGE_HELP: Final = "The stage; without it, the one that the release waits for."


@click.command()
@click.argument("service")
@click.argument("release", required=False)
@click.option("--stage", help=STAGE_HELP)
@click.option("--comment", default="", help="Why; it stands in the ledger.")
@on_pipeline
def approve(pipeline: Pipeline, service: str, release: str | None, stage: str | None, comment: str) -> None:
    """Agree that a release enters the stage that it waits for; your identity stands in the ledger.

    RELEASE is a release's id or the beginning of a commit's; without it, the newest release is meant.
    """
    asked = answer(pipeline, service, release, stage, approve=True, comment=comment)
    click.echo(f"approved: {service} {asked.release_id} enters {asked.stage}")


@click.command()
@click.argument("service")
@click.argument("release", required=False)
@click.option("--stage", help=STAGE_HELP)
@click.option("--comment", default="", help="Why; it stands in the ledger.")
@on_pipeline
def reject(pipeline: Pipeline, service: str, release: str | None, stage: str | None, comment: str) -> None:
    """Refuse that a release enters the stage that it waits for; the release ends, with nothing changed there.

    RELEASE is a release's id or the beginning of a commit's; without it, the newest release is meant.
    """
    asked = answer(pipeline, service, release, stage, approve=False, comment=comment)
    click.echo(f"rejected: {service} {asked.release_id} does not enter {asked.stage}")


def answer(
    pipeline: Pipeline,
    service: str,
    release_id: str | None,
    stage: str | None = None,
    *,
    approve: bool = True,
    comment: str = "",
) -> ApprovalRequest:
    """Answer a waiting release as whoever calls; gives the request that was answered.

    LookupError where nothing waits. Failed where the answer comes too late, because the release has stopped
    waiting or has been answered.
    """
    release = find_release(pipeline.ledger, service, release_id)
    asked = find_request(pipeline.ledger, release, stage)
    verb = "approved" if approve else "rejected"
    said = f"{verb} by {pipeline.identity}{f': {comment}' if comment else ''}"
    evidence = {"answer": verb, "by": pipeline.identity, "comment": comment}
    _record(pipeline.ledger, release, asked, f"answer#{verb}", said, evidence)
    try:
        _send(pipeline, asked, said, approve=approve, comment=comment)
    except ClientError as error:
        if error.response["Error"]["Code"] not in VOID:
            raise
        late = f"{asked.stage} had stopped waiting when it was {said}"
        _record(pipeline.ledger, release, asked, f"late#{verb}", late, evidence)
        code = error.response["Error"]["Code"]
        raise Failed(
            f"{service} {release.ref.id} does not wait for {asked.stage} any more ({code}): it was answered, "
            f"gave up waiting, or was stopped; see `tidegate status {service} {release.ref.id}`"
        ) from error
    return asked


def find_request(ledger: Ledger, release: Release, stage: str | None) -> ApprovalRequest:
    """What a release asks; LookupError where it asks nothing, or where the stage must be named."""
    ref = release.ref
    if release.outcome is not Outcome.OPEN:
        raise LookupError(f"{ref.service} {ref.id} waits for nothing: it is {release.outcome.value}")
    entries = ledger.entries(ref.service, ref.id)
    stages = list(dict.fromkeys(entry.stage for entry in entries if entry.step == STEP))
    if stage is None and stages:
        stage = stages[-1]  # stages follow one another, so at most the last one waits
    body = ledger.document(ref.service, approval_key(ref.id, stage)) if stage else None
    if body is None:
        raise LookupError(
            f"{ref.service} {ref.id} does not wait for approval{f' of {stage}' if stage else ''}"
        )
    return ApprovalRequest.model_validate_json(body)


def _send(pipeline: Pipeline, asked: ApprovalRequest, said: str, *, approve: bool, comment: str) -> None:
    if approve:
        output = json.dumps({"approved_by": pipeline.identity, "comment": comment})
        pipeline.machines.send_task_success(taskToken=asked.token, output=output)
    else:
        pipeline.machines.send_task_failure(taskToken=asked.token, error="ApprovalRejected", cause=said)


def _record(
    ledger: Ledger,
    release: Release,
    asked: ApprovalRequest,
    key: str,
    what: str,
    evidence: dict[str, Any],
) -> None:
    """One entry for each answer and token: a repeated answer adds none."""
    token = hashlib.sha256(asked.token.encode()).hexdigest()[:12]
    entry = Entry(
        service=release.ref.service,
        release_id=release.ref.id,
        key=f"{STEP}#{asked.stage}#{key}#{token}",
        at=datetime.now(UTC),
        step=STEP,
        stage=asked.stage,
        what=what,
        evidence=evidence,
    )
    ledger.append(entry)
