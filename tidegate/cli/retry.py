"""`tidegate retry`: the same commit once more, as a further attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tidegate.cli.failures import Failed
from tidegate.cli.releases import find_release, next_attempt
from tidegate.cli.targets import on_pipeline
from tidegate.cli.watch import watch_from_start
from tidegate.domain.identity import BundleLocation, bundle_key, release_id
from tidegate.domain.intake import PushedDetail
from tidegate.domain.ledger import Outcome

if TYPE_CHECKING:
    from tidegate.cli.pipeline import Pipeline
    from tidegate.domain.ledger import Release


@click.command()
@click.argument("service")
@click.argument("release", metavar="[COMMIT|RELEASE]", required=False)
@click.option("--wait", is_flag=True, help="Follow the release to its end; the exit code says how it ended.")
@on_pipeline
def retry(pipeline: Pipeline, service: str, release: str | None, *, wait: bool) -> None:
    """Release a commit of SERVICE once more: by default that of the newest release.

    COMMIT may be shortened. The attempt is one more than all before; the commit's bundle is the same.
    """
    new_id = retry_release(pipeline, find_release(pipeline.ledger, service, release))
    click.echo(f"asked for release {new_id} of {service}")
    if wait:
        watch_from_start(pipeline, service, new_id)
    else:
        click.echo(f"follow it with: tidegate watch {service} {new_id}{pipeline.flag}")


def retry_release(pipeline: Pipeline, release: Release) -> str:
    """Ask for a further attempt at a release's commit; gives the id of the release that it becomes.

    Two who ask at once ask for the same attempt, which is released once.
    """
    commit, service = release.commit, release.ref.service
    if release.outcome is Outcome.OPEN:
        raise Failed(f"{service} {release.ref.id} is under way: tidegate watch {service} {release.ref.id}")
    bundle = commit.bundle or BundleLocation(
        bucket=pipeline.sources.bucket, key=bundle_key(service, commit.branch, commit.id)
    )
    if not pipeline.sources.exists(bundle.key):
        raise Failed(
            f"the bundle of {commit.id} is not in the source bucket any more; put it there with "
            f"`tidegate push --commit {commit.id} --branch {commit.branch}`, then retry"
        )
    attempt = next_attempt(pipeline.ledger, commit)
    detail = PushedDetail(
        service=service, commit=commit.id, branch=commit.branch, bundle=bundle, attempt=attempt
    )
    pipeline.put_event("Commit Pushed", detail.model_dump(mode="json"))
    return release_id(commit, attempt)
