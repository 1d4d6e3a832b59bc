"""`tidegate prune`: asks the janitor what it would delete of a service, or to do it now.

The janitor runs by itself once a day. It is a function of the pipeline, since it alone may enter the stages.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
from botocore.config import Config

from tidegate.cli.failures import Failed
from tidegate.cli.releases import never_released
from tidegate.cli.screens import show_json, show_table
from tidegate.cli.targets import on_pipeline
from tidegate.domain.pipeline import function_name
from tidegate.domain.pruning import PruneReport

if TYPE_CHECKING:
    from tidegate.cli.pipeline import Pipeline

LONGEST = 905  # seconds that an invocation may last


@click.command()
@click.argument("service")
@click.option("--dry-run", is_flag=True, help="Delete nothing: show what would go, and why the rest stays.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@on_pipeline
def prune(pipeline: Pipeline, service: str, *, dry_run: bool, as_json: bool) -> None:
    """Delete the versions of SERVICE that nobody needs any more; the janitor does the same once a day.

    The releases that one can go back to keep theirs: three, or `keep_releases` of tidegate.yaml.
    """
    if pipeline.ledger.read_claim(service) is None:
        raise never_released(pipeline.ledger, service)
    report = ask_janitor(pipeline, service, dry_run=dry_run)
    if as_json:
        show_json(report.model_dump(mode="json"))
        return
    if report.note:
        click.echo(f"{service}: {report.note}")
        return
    goes = "would go" if dry_run else "deleted"
    rows = [(f.stage, f.function, f.version, goes if f.goes else "stays", f.reason) for f in report.fates]
    if rows:
        show_table(("stage", "function", "version", "fate", "why"), rows)
    for sentence in report.tidied:
        click.echo(f"left behind: {sentence}")
    for name in report.documents:
        click.echo(f"documents of release {name}: {goes}")
    more = "; it has not come to all yet and goes on at its next turn" if report.unfinished else ""
    click.echo(f"{service}: {report.gone} of {len(report.fates)} versions {goes}{more}")


def ask_janitor(pipeline: Pipeline, service: str, *, dry_run: bool) -> PruneReport:
    """Invoke the janitor for one service; Failed with its error where it has one."""
    client: Any = pipeline.session.client(
        "lambda",
        region_name=pipeline.resources.region,
        endpoint_url=pipeline.endpoint_url,
        config=Config(read_timeout=LONGEST, retries={"max_attempts": 0}),
    )
    payload = json.dumps({"service": service, "dry_run": dry_run})
    answer = client.invoke(FunctionName=function_name("PruneVersions"), Payload=payload)
    body = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise Failed(f"the janitor failed: {body.get('errorType')}: {body.get('errorMessage')}")
    (report,) = body["reports"]
    return PruneReport.model_validate(report)
