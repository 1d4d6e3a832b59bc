"""What people see in the terminal: lines and tables; colours only where a terminal is.

May not write to stdout where a program reads JSON: that is `show_json`, and nothing beside it.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tidegate.cli.outcomes import COLOURS, say
from tidegate.domain.ledger import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tidegate.domain.ledger import Entry, Release

PLAIN_WIDTH: Final = 200  # columns where no terminal says how many there are
STEP_COLOURS: Final = {
    "ShiftTraffic": "cyan",
    "JudgeCanary": "magenta",
    "AwaitApproval": "yellow",
    "DiagnoseRollback": "red",
    "RestoreTraffic": "red",
    "UndoRelease": "red",
    "VerifyRecovery": "red",
    "CompleteRelease": "green",
}


@cache
def _console(stream: object) -> Console:
    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    return Console(file=stream, width=width, highlight=False, soft_wrap=False)  # type: ignore[arg-type]


def console() -> Console:
    """The terminal, or plain lines of text where stdout is none."""
    return _console(sys.stdout)


def show_json(value: Any) -> None:  # noqa: ANN401 (whatever JSON can say)
    """Print a value for programs."""
    click.echo(json.dumps(value, indent=2, default=str))


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
    """Print a table; the last column takes the width that is left."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns[:-1]:
        table.add_column(name, no_wrap=True)
    table.add_column(columns[-1], overflow="fold")
    for row in rows:
        table.add_row(*row)
    console().print(table)


def show_entry(entry: Entry) -> None:
    """Print one decision of a release as it is followed."""
    stage = f" [{entry.stage}]" if entry.stage else ""
    line = Text(f"{clock(entry.at)} ", style="dim")
    line.append(f"{entry.step}{stage}", style=STEP_COLOURS.get(entry.step, "bold"))
    line.append(f" {entry.what}", style="not dim")
    console().print(line, soft_wrap=True)


def show_outcome(release: Release) -> None:
    """Print how a release ended."""
    line = Text(f"{release.ref.service} {release.ref.id}: ")
    line.append_text(badge(release.outcome))
    line.append(f" after {took(release)}")
    if release.reason and release.outcome is not Outcome.PROMOTED:
        line.append(f": {release.reason}")
    console().print(line, soft_wrap=True)


def badge(outcome: Outcome) -> Text:
    """The outcome in words and colour."""
    return Text(say(outcome), style=COLOURS[outcome])


def clock(at: datetime) -> str:
    """The time of day, local."""
    return at.astimezone().strftime("%H:%M:%S")


def moment(at: datetime) -> str:
    """Date and time, local."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def took(release: Release) -> str:
    """How long a release took, or has taken so far."""
    return duration(((release.closed_at or datetime.now(UTC)) - release.ref.opened_at).total_seconds())


def duration(seconds: float) -> str:
    """`42 s`, `3 min 5 s`, `2 h 4 min`."""
    whole = max(0, round(seconds))
    if whole < 60:  # noqa: PLR2004 (seconds in a minute)
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:  # noqa: PLR2004 (minutes in an hour)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
