"""`python -m benchmarks scale`: one release of many functions, beside the same of one and of ten.

As many as one stack takes, and more in nested stacks.

In the local cloud, which here keeps Lambda's quotas as AWS does: what exceeds 15 control-plane calls a second
is throttled. Each service is brought to its stages by a first release, then all its functions change, and
then an operator takes that release back. Waits are those of the local cloud, a sixtieth of AWS's; tasks and
their calls take the time that they take. All of AWS's limits that a release could run into are told as
reached or not.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from benchmarks.scale_history import Measured, Sizes, count_calls, measure_execution, read_sizes
from benchmarks.scale_service import ManyFunctions
from tidegate.cli.embedded import embed
from tidegate.cli.following import await_release, follow
from tidegate.cli.playing import log_entry, say
from tidegate.cli.push import push_commit
from tidegate.cli.rollback import follow_rollback, start_rollback
from tidegate.cli.screens import show_json, show_table
from tidegate.domain.ledger import Outcome
from tidegate.local.cloud import EXTENSIONS
from tidegate.local.quotas import PER_SECOND, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.cli.pipeline import Pipeline
    from tidegate.domain.ledger import Release

# How many functions, in how many nested stacks; 0 is the service's own stack alone.
SIZES: Final = ((1, 0), (10, 0), (160, 0), (200, 4))
FEW: Final = 10
STATE_BYTES: Final = 256 * 1024
HISTORY_EVENTS: Final = 25_000
ITEM_BYTES: Final = 400 * 1024
SETTLED: Final = 40  # transitions by which polls, retries and a Map of ten may differ
COLUMNS: Final = (
    "functions", "what", "transitions", "events", "largest state", "largest item", "AWS calls",
    "Lambda quota", "most in 1 s", "throttled", "seconds of tasks", "USD on AWS",
)  # fmt: skip
TASKS: Final = ("task", "attempts", "longest", "time limit", "Lambda quota", "calls by service")


class Row(NamedTuple):
    """A release, or a rollback, of so many functions; `item` is the ledger's largest by then, in bytes."""

    functions: int
    children: int
    what: str
    measured: Measured
    item: int


def measure(*, as_json: bool) -> None:
    """Release and take back services of all sizes, and print what grew; about ten minutes."""
    with (
        tempfile.TemporaryDirectory(prefix="tidegate-scale-") as folder,
        embed(say, extensions=(*EXTENSIONS, "tidegate.local.quotas")) as (_, pipeline),
    ):
        sizes = read_sizes(pipeline)
        rows = [row for size in SIZES for row in _measure(pipeline, Path(folder), size, sizes)]
    if as_json:
        show_json({"rows": [_tell(row, sizes) for row in rows]})
        return
    show_table(COLUMNS, [_show(row) for row in rows])
    for row in rows[-2:]:
        click.echo(f"\nthe tasks of the {row.what} of {row.functions} functions")
        show_table(TASKS, [_show_task(task) for task in _list_tasks(row, sizes)])
    click.echo()
    for line in _conclude(rows, sizes):
        click.echo(line)


def _measure(pipeline: Pipeline, folder: Path, size: tuple[int, int], sizes: Sizes) -> Iterator[Row]:
    service = ManyFunctions(folder / f"many-{size[0]}", *size)
    _release(pipeline, service, 1)
    release = _release(pipeline, service, 2)
    yield _row(pipeline, size, "release", release.ref.execution, sizes)
    execution = start_rollback(pipeline, service.name, "measuring")
    say(follow_rollback(pipeline, execution, release.ref, log_entry))
    yield _row(pipeline, size, "rollback", execution, sizes)


def _release(pipeline: Pipeline, service: ManyFunctions, number: int) -> Release:
    commit = service.change(number)
    say(f"change {number} of {len(service.functions)} functions")
    pushed = push_commit(pipeline, service.folder, commit, "main", service.name)
    opened = await_release(pipeline, service.name, pushed.release_id, lambda _: None)
    ended = follow(pipeline, opened.ref, log_entry)
    if ended.outcome is not Outcome.PROMOTED:
        raise click.ClickException(f"{service.name} is {ended.outcome}: {ended.reason}")
    return ended


def _row(pipeline: Pipeline, size: tuple[int, int], what: str, execution: str, sizes: Sizes) -> Row:
    measured = measure_execution(pipeline, execution, running().noted, sizes)
    return Row(*size, what, measured, _find_largest_item(pipeline))


def _find_largest_item(pipeline: Pipeline) -> int:
    """Of all tables, the ledger and the telemetry of the stages."""
    client = pipeline.client("dynamodb")
    tables = [name for page in client.get_paginator("list_tables").paginate() for name in page["TableNames"]]
    pages = (page for table in tables for page in client.get_paginator("scan").paginate(TableName=table))
    return max(len(json.dumps(item, default=str)) for page in pages for item in page["Items"])


def _show(row: Row) -> tuple[str, ...]:
    found = row.measured
    counted = sum(call.quota == "calls" for call in found.calls)
    return (
        _name_size(row), row.what, f"{found.transitions}", f"{found.events:,}",
        f"{found.largest[0]:,} B", f"{row.item:,} B", f"{len(found.calls):,}", f"{counted:,}",
        f"{found.busiest}", f"{found.throttled}",
        f"{sum(one.seconds for one in found.attempts):.0f}", f"{found.usd:.5f}",
    )  # fmt: skip


def _name_size(row: Row) -> str:
    return f"{row.functions} in {row.children} nested stacks" if row.children else f"{row.functions}"


def _list_tasks(row: Row, sizes: Sizes) -> list[dict[str, Any]]:
    """Each task of an execution, in the order of its first attempt."""
    calls = count_calls(row.measured)
    return [
        {
            "task": name,
            "attempts": sum(one.task == name for one in row.measured.attempts),
            "longest": max(one.seconds for one in row.measured.attempts if one.task == name),
            "time limit": sizes.timeout[name],
            "calls": dict(calls[name]),
        }
        for name in dict.fromkeys(one.task for one in row.measured.attempts)
    ]


def _show_task(task: dict[str, Any]) -> tuple[str, ...]:
    calls = dict(task["calls"])
    counted = calls.pop("lambda quota", 0)
    others = ", ".join(f"{service} {number:,}" for service, number in sorted(calls.items()))
    longest = f"{task['longest']:.1f} s"
    return (task["task"], f"{task['attempts']}", longest, f"{task['time limit']} s", f"{counted:,}", others)


def _tell(row: Row, sizes: Sizes) -> dict[str, Any]:
    return {**dict(zip(COLUMNS, _show(row), strict=True)), "tasks": _list_tasks(row, sizes)}


def _conclude(rows: list[Row], sizes: Sizes) -> Iterator[str]:
    by = {(row.functions, row.what): row.measured for row in rows}
    most = SIZES[-1][0]
    grown = by[most, "release"].transitions - by[FEW, "release"].transitions
    yield _say(grown <= SETTLED, f"transitions of {most} functions beside {FEW}: {grown:+}")
    throttled = sum(row.measured.throttled for row in rows)
    yield _say(not throttled, f"no call is throttled: {throttled}")
    busiest = max(row.measured.busiest for row in rows)
    sent = PER_SECOND["calls"]
    yield f"control-plane calls that came in within any second: at most {busiest}; at most {sent} are sent"
    state = max(row.measured.largest for row in rows)
    yield _say(state[0] <= STATE_BYTES, f"largest state: {state[0]:,} bytes, the {state[1]}")
    item = max(row.item for row in rows)
    yield _say(item <= ITEM_BYTES, f"largest item of a table: {item:,} bytes")
    longest = max(row.measured.events for row in rows)
    yield _say(longest <= HISTORY_EVENTS, f"events of a history: {longest:,}")
    attempts = [one for row in rows for one in row.measured.attempts]
    slowest = max(attempts, key=lambda one: one.seconds / sizes.timeout[one.task])
    limit = sizes.timeout[slowest.task]
    text = f"nearest to its time limit: {slowest.task}, {slowest.seconds:.1f} of {limit} s"
    yield _say(slowest.seconds < limit, text)


def _say(reached: bool, text: str) -> str:
    return f"{'reached' if reached else 'NOT REACHED'}: {text}"
