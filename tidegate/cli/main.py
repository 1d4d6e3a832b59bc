"""The command `tidegate`: its verbs by name, each in a module that is imported only when it is called.

A new verb is a module with a click command, and one line in VERBS. Nothing else is imported here, so that
help stands at once. What goes wrong leaves as one line on stderr and an exit code, never as a traceback.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from tidegate import __version__
from tidegate.cli.failures import Failed

if TYPE_CHECKING:
    from collections.abc import Iterator

EPILOG: Final = (
    "Exit codes: 0 done, 1 the asked thing failed, 2 wrong usage, 3 the release was rejected or superseded, "
    "4 it was rolled back, 5 it needs an operator."
)


class Verb(NamedTuple):
    """Where a verb's click command is, and the line that help shows for it."""

    module: str
    name: str
    summary: str


VERBS: Final = {
    "demo": Verb("tidegate.cli.demo", "demo", "Release the example service in a local cloud."),
    "run": Verb("tidegate.cli.run", "run", "Release a repository's commits in a local cloud."),
    "local": Verb("tidegate.cli.local", "local", "Keep a local cloud running."),
    "init": Verb("tidegate.cli.init", "init", "Write a commented tidegate.yaml for a repository."),
    "check": Verb("tidegate.cli.check", "check", "Validate configuration and template, without AWS."),
    "audit": Verb("tidegate.cli.audit", "audit", "Look up known vulnerabilities, as a release does."),
    "simulate": Verb("tidegate.cli.simulate", "simulate", "Compare policies of traffic by replaying them."),
    "push": Verb("tidegate.cli.push", "push", "Push a commit, which starts its release."),
    "retry": Verb("tidegate.cli.retry", "retry", "Release a commit once more."),
    "status": Verb("tidegate.cli.status", "status", "Show services, releases, or what a release did."),
    "watch": Verb("tidegate.cli.watch", "watch", "Follow a release live."),
    "approve": Verb("tidegate.cli.approvals", "approve", "Agree that a release enters a stage."),
    "reject": Verb("tidegate.cli.approvals", "reject", "Refuse that a release enters a stage."),
    "rollback": Verb(
        "tidegate.cli.rollback", "rollback", "Take a service's last release back, or go further."
    ),
    "verify": Verb(
        "tidegate.cli.verify", "verify", "Check where an artifact comes from, by its signed statement."
    ),
    "prune": Verb("tidegate.cli.prune", "prune", "Delete versions that nobody needs, or show which."),
}


class Verbs(click.Group):
    """The group of VERBS: knows all names, and imports a verb's module when it is asked for the verb."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order in which they are met."""
        return [*VERBS, *(name for name in super().list_commands(ctx) if name not in VERBS)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's command, or None where there is no such verb."""
        verb = VERBS.get(cmd_name)
        if verb is None:
            return super().get_command(ctx, cmd_name)
        command: click.Command = getattr(importlib.import_module(verb.module), verb.name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of verbs; from the table, so that no verb's module is imported."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(self._summaries(ctx)))

    def _summaries(self, ctx: click.Context) -> Iterator[tuple[str, str]]:
        for name in self.list_commands(ctx):
            if name in VERBS:
                yield name, VERBS[name].summary
            elif (command := super().get_command(ctx, name)) is not None:
                yield name, command.get_short_help_str(100)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 (as click declares it)
        """Run a verb; an error that a user can cause becomes one line."""
        try:
            return super().invoke(ctx)
        except click.UsageError:
            raise
        except click.ClickException as error:
            raise error if isinstance(error, Failed) else Failed(error.format_message()) from error
        except Exception as error:
            from tidegate.cli.troubles import explain

            message = explain(error)
            if message is None:
                raise
            raise Failed(message) from error


@click.group(cls=Verbs, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tidegate")
def main() -> None:
    """Continuous delivery for AWS Lambda: push a commit; traffic moves only while the evidence is good."""
