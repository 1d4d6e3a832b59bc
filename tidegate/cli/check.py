"""`tidegate check`: whether a repository can be released, before anything is pushed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tidegate.cli.checking import check_repository
from tidegate.cli.outcomes import Exit
from tidegate.cli.screens import show_json, show_table
from tidegate.domain.preflight import Severity

if TYPE_CHECKING:
    from tidegate.cli.checking import Findings


@click.command()
@click.argument("repository", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--commit", help="Check this commit; otherwise the folder as it stands.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def check(repository: Path, commit: str | None, *, as_json: bool) -> None:
    """Validate tidegate.yaml, samconfig and template of REPOSITORY (here by default), without AWS.

    Shows the functions found, what would be refused, secrets in the source among it, and what a canary would
    not hold back. The exit code is 1 where a release would be rejected. Nothing is built and no test is run.
    """
    findings = check_repository(repository, commit)
    if as_json:
        show_json(findings.model_dump(mode="json"))
    else:
        show_findings(findings)
    if findings.problems:
        click.get_current_context().exit(Exit.FAILED)


def _count(functions: int) -> str:
    return "1 function" if functions == 1 else f"{functions:,} functions"


def show_findings(findings: Findings) -> None:
    """For people: what was found on stdout, what is wrong on stderr."""
    if findings.template:
        click.echo(f"{findings.service}: {findings.template}, {_count(len(findings.functions))}")
    if findings.functions:
        rows = (
            (one.logical_id, one.runtime, one.architecture, one.handler, one.code)
            for one in findings.functions
        )
        show_table(("function", "runtime", "architecture", "handler", "code"), rows)
    if findings.template:
        click.echo(f"tests: {findings.tests or 'none'}")
        click.echo("secrets: none found")
        click.echo(f"stages: {', '.join(findings.stages)}; a pipeline that lacks one refuses the release")
    for note in findings.notes:
        click.echo(f"note: {note}")
    told = (notice.text for notice in findings.notices if notice.kind != Severity.REFUSE)
    for text in dict.fromkeys(told):
        click.echo(f"notice: {text}")
    for problem in findings.problems:
        click.echo(f"error: {problem}", err=True)
    if not findings.problems:
        click.echo(f"{findings.service} can be released")
