"""`tidegate verify`: whether an artifact is what a pipeline built, from which commit, and what it passed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tidegate.cli.screens import show_json
from tidegate.cli.targets import OPTIONS, find_pipeline
from tidegate.domain.errors import TidegateError
from tidegate.domain.identity import SHORT
from tidegate.domain.provenance import Policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.cli.pipeline import Pipeline
    from tidegate.cli.verifying import Material

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
KEY = re.compile(r"[0-9a-f]{64}")


def _with_pipeline(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@click.command()
@click.argument("artifact", required=False)
@click.option("--statement", type=FILE, help="The statement, in its envelope; otherwise the pipeline's.")
@click.option("--key", "keys", type=FILE, multiple=True, help="A trusted public key in PEM; may be repeated.")
@click.option("--service", help="The service: asks its pipeline for what is not given as a file.")
@click.option("--function", help="A function by its logical id: its artifact is meant, or must be it.")
@click.option("--release", help="The release whose statement is meant; otherwise the one that is live.")
@click.option("--stage", default="production", show_default=True, help="Where it is live.")
@click.option("--builder", help="The builder that the statement must name; otherwise the pipeline's own.")
@click.option(
    "--save",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder to write statement and keys to, for checks without the pipeline.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@_with_pipeline
def verify(artifact: str | None, *, as_json: bool, **given: Any) -> None:  # noqa: ANN401
    """Check that ARTIFACT is what was built, by whom, and from which commit.

    ARTIFACT is a zip, such as a function's code as Lambda gives it, or an artifact's key. Exits with 0 where
    it is verified, with 1 where it is not.
    """
    try:
        found = _verify(Asked(artifact, given))
    except TidegateError as error:
        if not as_json:
            raise click.ClickException(f"{type(error).__name__}: {error}") from None
        show_json({"verified": False, "error": type(error).__name__, "reason": str(error)})
        raise click.exceptions.Exit(1) from None
    if as_json:
        show_json(found)
    else:
        _show(found)


class Asked:
    """What the options say; the pipeline is found when something of it is needed first."""

    def __init__(self, artifact: str | None, given: dict[str, Any]) -> None:
        self.given = given
        self.file = Path(artifact) if artifact and Path(artifact).is_file() else None
        self.key = artifact if artifact and KEY.fullmatch(artifact) and not self.file else None
        self.offline = bool(given["statement"] and given["keys"])
        if artifact and not self.file and not self.key:
            raise click.UsageError(f"{artifact} is neither a file nor an artifact's key")
        if not artifact and not given["function"]:
            raise click.UsageError("name an ARTIFACT, or a --function")
        if not given["service"] and not (self.offline and self.file):
            raise click.UsageError("without --service, give a file, its --statement and a --key")
        self._pipeline: Pipeline | None = None

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline of the service."""
        if self._pipeline is None:
            given = self.given
            self._pipeline = click.get_current_context().obj or find_pipeline(
                given["stack_name"], given["profile"], given["region"], local=given["local"]
            )
        return self._pipeline

    def policy(self, material: Material) -> Policy:
        """What the statement must say: the pipeline's own builder, unless files are all there is."""
        builder, service = self.given["builder"], self.given["service"]
        if builder is None and not self.offline:
            builder = self.pipeline.resources.release_machine
        execution = self.pipeline.execution(f"{service}-{material.release}") if material.release else None
        return Policy(builder=builder, service=service, invocation=execution)

    def gather(self) -> Material:
        """Statement and keys, from files or from the pipeline."""
        from tidegate.cli.public_keys import fetch_keys, read_keys
        from tidegate.cli.verifying import Material, fetch_statement

        given = self.given
        keys = read_keys(given["keys"]) if given["keys"] else fetch_keys(self.pipeline)
        if given["statement"]:
            return Material(given["statement"].read_bytes(), keys)
        body, release = fetch_statement(self.pipeline, given["service"], given["stage"], given["release"])
        return Material(body, keys, release)


def _verify(asked: Asked) -> dict[str, Any]:
    from tidegate.cli.verifying import check_file, check_stored, describe, find_function, name_artifact

    material = asked.gather()
    attested = material.open(asked.policy(material))
    statement, function = attested.statement, asked.given["function"]
    if asked.file is not None:
        name = check_file(statement, asked.file, function)
    else:
        wanted = name_artifact(statement, asked.key) if asked.key else find_function(statement, function)
        name = check_stored(statement, asked.pipeline, wanted)
    found = describe(attested, name)
    if asked.given["save"] is not None:
        found["saved"] = [str(path) for path in material.save(asked.given["save"], found["release"])]
    return found


def _show(found: dict[str, Any]) -> None:
    runs = f" for {found['runtime']} on {found['architecture']}" if found["runtime"] else ""
    functions = f" of {', '.join(found['functions'])}" if found["functions"] else ""
    click.echo(f"verified: {found['artifact']}{functions}{runs}")
    rows = {
        "sha256": found["sha256"],
        "commit": f"{found['commit']} on {found['branch']} of {found['service']} ({found['repository']})",
        "release": f"{found['release']}, begun {found['started']}",
        "builder": found["builder"]["id"],
        "signed by": found["keyid"][:SHORT],
        **{name: _describe(found[name]) for name in ("lock", "sbom", "tests", "audit")},
        "saved": ", ".join(found.get("saved", ())),
    }
    for name, text in rows.items():
        if text:
            click.echo(f"  {name:10}{text}")


def _describe(document: dict[str, Any] | None) -> str:
    if document is None:
        return "none"
    summary = f"{document['summary']}, " if document.get("summary") else ""
    return f"{summary}{document['name']} (sha256 {document['sha256']})"
