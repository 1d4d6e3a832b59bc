"""How a run of releases ends on the screen: the table, the report, and whether all was as it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tidegate.cli.report import render_report
from tidegate.cli.screens import console, duration, show_json, show_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tidegate.cli.releasing import Released
    from tidegate.domain.ledger import Entry

COLUMNS = ("commit", "what", "outcome", "expected", "time", "served", "failed", "transitions")


def say(text: str) -> None:
    """A line of progress; on stderr, so that --json stays alone on stdout."""
    click.secho(f"» {text}", err=True, bold=True)


def log_entry(entry: Entry) -> None:
    """A decision as a line of progress, where stdout is kept for JSON."""
    click.echo(f"{entry.step} {entry.stage} {entry.what}", err=True)


def finish(title: str, released: Sequence[Released], report: Path, seconds: float, *, as_json: bool) -> bool:
    """Print the table, write the report, and tell what is wrong; True where nothing is."""
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(render_report(title, [one.report for one in released]))
    rows = [_row(one) for one in released]
    if as_json:
        show_json({"releases": [dict(zip(COLUMNS, row, strict=True)) for row in rows], "report": str(report)})
    else:
        console().print()
        show_table(COLUMNS, rows)
    wrong = [problem for one in released for problem in _problems(one)]
    for problem in wrong:
        click.secho(problem, err=True, fg="red")
    say(f"{len(released)} releases in {seconds:.0f} s; report: {report}")
    return not wrong


def _row(one: Released) -> tuple[str, ...]:
    report = one.report
    commit = report.release.commit.id[:12]
    outcome = report.release.outcome.value.replace("_", " ")
    expected = (report.expected or "-").replace("_", " ")
    took = duration((report.end - report.start).total_seconds())
    counts = (f"{report.requests:,}", f"{report.failed:,}", f"{report.transitions}")
    return (commit, report.title, outcome, expected, took, *counts)


def _problems(one: Released) -> list[str]:
    report = one.report
    missed = report.expected is not None and report.release.outcome.value != report.expected
    name = f"{report.release.ref.id} ({report.title})"
    unexpected = [f"{name}: {report.release.outcome.value}, expected {report.expected}"] if missed else []
    return unexpected + [f"{name}: {problem}" for problem in one.wrong]
