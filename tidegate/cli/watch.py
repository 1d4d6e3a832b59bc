"""`tidegate watch`: a release's decisions as they are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tidegate.cli.following import await_release, exit_of, follow
from tidegate.cli.releases import find_release
from tidegate.cli.screens import show_entry, show_outcome
from tidegate.cli.targets import on_pipeline

if TYPE_CHECKING:
    from tidegate.cli.pipeline import Pipeline
    from tidegate.domain.identity import ReleaseRef


@click.command()
@click.argument("service")
@click.argument("release", required=False)
@on_pipeline
def watch(pipeline: Pipeline, service: str, release: str | None) -> None:
    """Follow a release live, until it ends; the exit code says how.

    RELEASE is a release's id or the beginning of a commit's; without it, the newest release is followed.
    Ctrl-C stops watching, not the release.
    """
    watch_to_end(pipeline, find_release(pipeline.ledger, service, release).ref)


def watch_to_end(pipeline: Pipeline, ref: ReleaseRef) -> None:
    """Show the rest of a release; leaves with the exit code of its outcome."""
    ended = follow(pipeline, ref, show_entry)
    show_outcome(ended)
    click.get_current_context().exit(exit_of(ended))


def watch_from_start(pipeline: Pipeline, service: str, release_id: str) -> None:
    """The same for a release that is about to start."""
    watch_to_end(pipeline, await_release(pipeline, service, release_id, click.echo).ref)
