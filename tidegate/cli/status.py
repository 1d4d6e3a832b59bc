"""`tidegate status`: all services, one service's releases, or one release's decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from tidegate.cli.releases import find_release, last_stage, newest
from tidegate.cli.screens import badge, clock, moment, show_json, show_outcome, show_table, took
from tidegate.cli.targets import on_pipeline
from tidegate.domain.identity import SHORT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tidegate.cli.pipeline import Pipeline
    from tidegate.domain.ledger import Entry, Release

COLUMNS = ("release", "commit", "branch", "outcome", "stage", "opened", "took", "reason")


@click.command()
@click.argument("service", required=False)
@click.argument("release", required=False)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="How many releases.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@on_pipeline
def status(
    pipeline: Pipeline, service: str | None, release: str | None, *, limit: int, as_json: bool
) -> None:
    """Show all services; with SERVICE its releases; with RELEASE too, every decision of that release.

    RELEASE is a release's id or the beginning of a commit's; `last` is the newest.
    """
    if service is None:
        heads = [found for name in pipeline.ledger.services() for found in newest(pipeline.ledger, name, 1)]
        show_releases(pipeline, heads, with_service=True, as_json=as_json)
    elif release is None:
        find_release(pipeline.ledger, service)
        show_releases(pipeline, newest(pipeline.ledger, service, limit), with_service=False, as_json=as_json)
    else:
        wanted = None if release == "last" else release
        show_release(pipeline, find_release(pipeline.ledger, service, wanted), as_json=as_json)


def show_releases(
    pipeline: Pipeline, releases: Iterable[Release], *, with_service: bool, as_json: bool
) -> None:
    """One line for each release."""
    standing = [(one, pipeline.ledger.entries(one.ref.service, one.ref.id)) for one in releases]
    if as_json:
        show_json([dump(release, entries) for release, entries in standing])
    elif not standing:
        click.echo("nothing has been released yet")
    else:
        columns = ("service", *COLUMNS) if with_service else COLUMNS
        rows = (_row(release, entries, with_service=with_service) for release, entries in standing)
        show_table(columns, rows)


def show_release(pipeline: Pipeline, release: Release, *, as_json: bool) -> None:
    """One release with everything that it decided."""
    entries = pipeline.ledger.entries(release.ref.service, release.ref.id)
    if as_json:
        decisions = [entry.model_dump(mode="json") for entry in entries]
        show_json({**dump(release, entries), "entries": decisions})
        return
    show_outcome(release)
    rows = ((clock(entry.at), entry.step, entry.stage, Text(entry.what)) for entry in entries)
    show_table(("time", "step", "stage", "what"), rows)


def dump(release: Release, entries: Sequence[Entry]) -> dict[str, Any]:
    """A release for programs: with the stage that it came to, and what it did last."""
    plain, last = release.model_dump(mode="json"), entries[-1].what if entries else ""
    return {
        "service": release.ref.service,
        "release": release.ref.id,
        **plain,
        "stage": last_stage(entries),
        "last": last,
    }


def _row(release: Release, entries: Sequence[Entry], *, with_service: bool) -> tuple[str | Text, ...]:
    """A running release has no reason yet; what it did last stands there instead."""
    reason = release.reason or (entries[-1].what if entries else "-")
    head = (release.ref.service,) if with_service else ()
    return (
        *head,
        release.ref.id,
        release.commit.id[:SHORT],
        release.commit.branch,
        badge(release.outcome),
        last_stage(entries) or "-",
        moment(release.ref.opened_at),
        took(release),
        Text(reason),
    )
