"""`tidegate audit`: what a release audits, at a desk. Nothing is built, and AWS is not asked."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from tidegate.cli.failures import Failed
from tidegate.cli.outcomes import Exit
from tidegate.cli.screens import show_json, show_table
from tidegate.domain.errors import TidegateError

if TYPE_CHECKING:
    from tidegate.cli.auditing import Audited
    from tidegate.domain.audits.findings import Finding

NOBODY: Final = "nobody to ask: name --advisories DIR, --osv, or audit.advisories in tidegate.yaml"
VERDICTS: Final = {"fails": "over the gate", "passes": "below the gate"}


@click.group()
def audit() -> None:
    """Look up known vulnerabilities, as a release does."""


@audit.command()
@click.argument("repository", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--advisories",
    type=click.Path(exists=True, path_type=Path),
    help="Folder or zip of OSV records; default: audit.advisories.",
)
@click.option("--osv", is_flag=True, help="Ask the API of osv.dev, which learns the packages' names.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def dependencies(repository: Path, advisories: Path | None, *, osv: bool, as_json: bool) -> None:
    """Look up what the functions and layers of REPOSITORY (here by default) require.

    Requirements are resolved as a release would. The exit code is 1 where findings or expired waivers would
    end a release, and 2 where something could not be read or asked.
    """
    from tidegate.cli.auditing import audit_repository

    try:
        audited = audit_repository(repository, advisories, datetime.now(UTC).date(), _say, osv=osv)
    except (TidegateError, OSError) as error:
        raise Failed(str(error), Exit.USAGE) from error
    except Failed as error:
        raise Failed(error.message, Exit.USAGE) from error
    if audited is None:
        raise Failed(NOBODY, Exit.USAGE)
    if as_json:
        show_json(audited.model_dump(mode="json"))
    else:
        show_audit(audited)
    if audited.report.failures:
        click.get_current_context().exit(Exit.FAILED)
    if audited.problems:
        click.get_current_context().exit(Exit.USAGE)


def _say(text: str) -> None:
    click.echo(text, err=True)


def show_audit(audited: Audited) -> None:
    """For people: findings on stdout, what could not be read on stderr."""
    report = audited.report
    if report.findings:
        columns = ("package", "version", "severity", "fixed", "verdict", "ids")
        show_table(columns, (_row(one) for one in report.findings))
    for notice in report.notices:
        click.echo(f"notice: {notice}")
    for failure in report.failures:
        click.echo(f"error: {failure}", err=True)
    for problem in audited.problems:
        click.echo(f"error: not all was looked up: {problem}", err=True)
    click.echo(report.summary)


def _row(finding: Finding) -> tuple[str, ...]:
    waiver = f"waived until {finding.waiver.expires}" if finding.waiver else VERDICTS[finding.verdict]
    fixed = finding.remedy or "none known"
    names = ", ".join((finding.id, *finding.aliases))
    return finding.package.name, finding.package.version, finding.rated, fixed, waiver, names
