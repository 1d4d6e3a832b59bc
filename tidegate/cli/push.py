"""`tidegate push`: a commit's bundle into the source bucket; the bucket's event starts the release."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from tidegate.cli.bundling import make_bundle, resolve_commit
from tidegate.cli.failures import Failed
from tidegate.cli.outcomes import say
from tidegate.cli.releases import matches
from tidegate.cli.repositories import find_branch, find_service
from tidegate.cli.targets import on_pipeline
from tidegate.cli.watch import watch_from_start
from tidegate.domain.identity import SHORT, BundleLocation, Commit, bundle_key, release_id
from tidegate.domain.ledger import Outcome
from tidegate.domain.origins import service_name
from tidegate.domain.sources import MAX_BUNDLE

if TYPE_CHECKING:
    from tidegate.cli.pipeline import Pipeline


class Pushed(NamedTuple):
    """The commit as its release will carry it, and that release's id."""

    commit: Commit
    release_id: str


@click.command()
@click.argument("repository", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--branch", help="Branch that the commit is released for; otherwise the one checked out.")
@click.option("--commit", default="HEAD", show_default=True, help="The commit, by any name that git knows.")
@click.option("--service", help="The service; otherwise the name in tidegate.yaml, or the repository's.")
@click.option("--wait", is_flag=True, help="Follow the release to its end; the exit code says how it ended.")
@on_pipeline
def push(
    pipeline: Pipeline, repository: Path, branch: str | None, commit: str, service: str | None, *, wait: bool
) -> None:
    """Push one commit of REPOSITORY (here by default) to the pipeline, which starts its release.

    What git has committed is pushed, not what lies in the working folder. A commit is released once; to
    release it again, use `tidegate retry`. Branches that the pipeline does not release are ignored by it.
    """
    if service is not None and service_name(service) != service:
        raise click.BadParameter(f"{service!r} is no service's name", param_hint="--service")
    resolve_commit(repository, commit)
    chosen = branch or find_branch(repository)
    _warn(pipeline, chosen)
    pushed = push_commit(pipeline, repository, commit, chosen, service or find_service(repository, commit))
    name = pushed.commit.service
    click.echo(
        f"pushed {pushed.commit.id[:SHORT]} of {name} on {chosen}; it becomes release {pushed.release_id}"
    )
    earlier = next(filter(lambda one: matches(one, pushed.release_id), pipeline.ledger.releases(name)), None)
    if earlier is not None and earlier.outcome is not Outcome.OPEN:
        raise Failed(
            f"{name} {earlier.ref.id} was released before ({say(earlier.outcome)}); to release the commit "
            f"again: tidegate retry {name} {pushed.commit.id[:SHORT]}"
        )
    if wait:
        watch_from_start(pipeline, name, pushed.release_id)
    else:
        click.echo(f"follow it with: tidegate watch {name} {pushed.release_id}{pipeline.flag}")


def _warn(pipeline: Pipeline, branch: str) -> None:
    """The pipeline ignores other branches; what a stack does not tell of is not guessed."""
    released = pipeline.resources.branches
    if released and branch not in released:
        known = ", ".join(released)
        click.echo(f"warning: this pipeline releases {known} and will ignore {branch}", err=True)


def push_commit(pipeline: Pipeline, repository: Path, commit: str, branch: str, service: str) -> Pushed:
    """Put a commit's bundle into the source bucket; doing so twice is doing so once."""
    commit_id = resolve_commit(repository, commit)
    location = BundleLocation(
        bucket=pipeline.sources.bucket, key=bundle_key(service, branch, commit_id), version_id=""
    )
    body = make_bundle(repository, commit_id)
    if len(body) > MAX_BUNDLE:
        raise Failed(
            f"the commit's bundle has {len(body):,} bytes; at most {MAX_BUNDLE:,} are taken; "
            "leave large files out"
        )
    pipeline.sources.write_bytes(location.key, body)
    pushed = Commit(service=service, id=commit_id, branch=branch, bundle=location)
    return Pushed(pushed, release_id(pushed, 1))
