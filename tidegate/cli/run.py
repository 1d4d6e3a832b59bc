"""`tidegate run`: the commits of any local repository released in a local cloud, under made-up traffic.

The traffic is the service's own sample events where there are some, and else an event of the kind that
triggers each function. An error that both versions give alike says nothing against either.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from tidegate.cli.failures import Failed
from tidegate.domain.ledger import Outcome
from tidegate.domain.sources import CONFIG_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.cli.releasing import Released
    from tidegate.cli.traffic import Request
    from tidegate.domain.ledger import Entry, Release

REPORT: Final = Path("build") / "tidegate" / "report.html"
SERVER_ERROR: Final = 500


@click.command()
@click.argument("repository", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--commits", type=click.IntRange(1, 50), default=2, show_default=True, help="How many, to HEAD."
)
@click.option("--branch", help="Branch that the commits are released for; otherwise the one checked out.")
@click.option("--service", help="The service; otherwise the name in tidegate.yaml, or the repository's.")
@click.option(
    "--events",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of events to send: <FunctionLogicalId>.json, or <FunctionLogicalId>/*.json.",
)
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A tidegate.yaml for commits that have none: it names the template, the tests, and so on.",
)
@click.option(
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="A value for a template's parameter that has no default; several times for several.",
)
@click.option(
    "--rate", type=click.FloatRange(1, 200), default=30, show_default=True, help="Requests a second."
)
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), default=REPORT, help="The report.")
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
def run(  # noqa: PLR0913, PLR0917 (click gives each option by name)
    repository: Path,
    commits: int,
    branch: str | None,
    service: str | None,
    events: Path | None,
    config: Path | None,
    parameters: tuple[str, ...],
    rate: float,
    report: Path,
    *,
    as_json: bool,
) -> None:
    """Release the last commits of REPOSITORY (here by default), oldest first, in a local cloud.

    Of a folder in a repository, the commits that changed it are released, as a repository of its own; so are
    commits to which --config adds a tidegate.yaml. The first commit brings the stages up, each later one is
    canaried. A template that fixes physical names is released to production alone, since the stages share an
    account. A parameter without a value gets a sample. The exit code tells the last outcome.
    """
    from tidegate.cli.folders import is_folder, open_folder
    from tidegate.cli.playing import finish
    from tidegate.cli.repositories import find_branch, find_service
    from tidegate.cli.surroundings import read_parameters

    started = time.monotonic()
    given = read_parameters(parameters)
    with ExitStack() as stack:
        if config or is_folder(repository):
            added = read_addition(repository, config) if config else {}
            repository = stack.enter_context(open_folder(repository, commits, added))
        chosen = list_commits(repository, commits)
        name = service or find_service(repository, "HEAD")
        line = branch or find_branch(repository)
        released = release_commits(
            Story(repository, line, name, chosen), Mix(events), given, rate, as_json=as_json
        )
    seconds = time.monotonic() - started
    good = finish(f"{name}, released commit by commit", released, report, seconds, as_json=as_json)
    conclude(released[-1].report.release, good=good)


def conclude(release: Release, *, good: bool) -> None:
    """Failed where an alias is on a wrong version, or the last release was not promoted."""
    from tidegate.cli.outcomes import EXITS

    if not good:
        raise Failed("an alias is not on the right version")
    if release.outcome is not Outcome.PROMOTED:
        raise Failed(release.reason or release.outcome.value, EXITS[release.outcome])


def read_addition(repository: Path, config: Path) -> dict[str, str]:
    """The configuration that commits get; Failed where they have one of their own."""
    from tidegate.cli.repositories import ask_git

    if ask_git(repository, "cat-file", "-e", f"HEAD:./{CONFIG_FILE}") is not None:
        raise Failed(f"--config: {repository} has a {CONFIG_FILE} of its own")
    return {CONFIG_FILE: config.read_text()}


class Story(NamedTuple):
    """What is released: commits as (id, title), oldest first, for a branch, as a service."""

    repository: Path
    branch: str
    service: str
    commits: list[tuple[str, str]]


def release_commits(
    story: Story, mix: Mix, parameters: dict[str, str], rate: float, *, as_json: bool
) -> list[Released]:
    """Release the commits in a cloud that is made for them, and is gone afterwards."""
    from tidegate.cli.embedded import embed
    from tidegate.cli.playing import log_entry, say
    from tidegate.cli.releasing import Releasing
    from tidegate.cli.screens import show_entry
    from tidegate.cli.surroundings import choose_stages, give_parameters
    from tidegate.cli.surveys import merge, survey
    from tidegate.cli.traffic import Traffic

    surveys = {commit: survey(story.repository, commit) for commit, _ in story.commits}
    found = merge([*surveys.values()])
    with embed(say, branches=(story.branch,), stages=choose_stages(found, say)) as (cloud, pipeline):
        give_parameters(cloud, found, parameters, say)
        with Traffic(cloud.client("lambda"), mix.requests(), has_failed, rate) as traffic:
            releasing = Releasing(cloud, pipeline, traffic, log_entry if as_json else show_entry)
            released: list[Released] = []
            for commit, title in story.commits:
                say(f"commit {commit[:12]} {title!r}")
                mix.learn(surveys[commit].events)
                released.append(
                    releasing.release(
                        story.repository, commit, story.branch, story.service, title=title, react=mix.react
                    )
                )
    return released


def list_commits(repository: Path, count: int) -> list[tuple[str, str]]:
    """The last commits of HEAD's first-parent line, oldest first: (id, title)."""
    from tidegate.cli.repositories import ask_git

    listed = ask_git(repository, "log", "--first-parent", f"-{count}", "--format=%H %s")
    if not listed:
        raise Failed(f"{repository} has no commit to release; is it a git repository, and is git installed?")
    lines = [line.partition(" ") for line in listed.splitlines()]
    return [(commit, title) for commit, _, title in reversed(lines)]


def has_failed(body: Any, error: str | None) -> bool:  # noqa: ANN401 (whatever a function answers)
    """A request has failed if its invocation erred or its answer is a server error."""
    status = body.get("statusCode") if isinstance(body, dict) else None
    return error is not None or (isinstance(status, int) and status >= SERVER_ERROR)


class Mix:
    """Events for the functions that the current release shifts, one function after the other."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._events: dict[str, Iterator[Any]] = {}
        self._focus: tuple[str, ...] = ()

    def learn(self, found: dict[str, list[Any]]) -> None:
        """Take the events for every function that a commit's template has."""
        self._events = {name: cycle(self._given(name) or payloads) for name, payloads in found.items()}

    def _given(self, function: str) -> list[Any]:
        if self._folder is None:
            return []
        one, many = self._folder / f"{function}.json", self._folder / function
        files = [one] if one.is_file() else sorted(many.glob("*.json")) if many.is_dir() else []
        return [json.loads(file.read_text()) for file in files]

    def react(self, entry: Entry, _release: Release) -> None:
        """Turn to the functions that a stage is about to shift; to all where none does."""
        if entry.step == "PublishVersions":
            self._focus = tuple(entry.evidence["versions"])

    def requests(self) -> Iterator[Request]:
        """For ever, in turn; a function without events is left out."""
        from tidegate.cli.traffic import Request

        turn = 0
        while True:
            names = [name for name in self._focus or self._events if name in self._events]
            name = names[turn % len(names)] if names else ""
            turn += 1
            yield Request(name, next(self._events[name]) if names else {})
