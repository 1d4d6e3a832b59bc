"""`python -m benchmarks releases`: the example's releases measured, with what they would cost on AWS.

Times are those of the local cloud, where a minute of observation or bake lasts a second. Invocations and
their seconds are those of the task states, from scheduled to ended, an approval's wait too: more than AWS
would bill. Prices: us-east-1, on demand, AWS Step Functions and AWS Lambda pricing pages; no more counts.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tidegate.cli.demo import release_history
from tidegate.cli.embedded import embed
from tidegate.cli.playing import log_entry, say
from tidegate.cli.screens import show_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tidegate.cli.pipeline import Pipeline
    from tidegate.cli.releasing import Released

RESTORED: Final = "traffic is restored and told to the ledger"
PER_TRANSITION: Final = 0.025 / 1000
PER_INVOCATION: Final = 0.20 / 1_000_000
PER_GB_SECOND: Final = 0.0000166667
RATE: Final = 40.0
MEGABYTES: Final = 1024
COLUMNS: Final = (
    "release",
    "outcome",
    "push to shift",
    "push to end",
    "transitions",
    "invocations",
    "GB-s",
    "USD on AWS",
)


class Calls(NamedTuple):
    """What a release called of Lambda: invocations, and their gigabyte-seconds."""

    invocations: int
    gb_seconds: float


def measure(*, as_json: bool) -> None:
    """Release the example's commits and print what each took."""
    with embed(say) as (cloud, pipeline):
        released = release_history(cloud, pipeline, RATE, log_entry)
        memory = _memory(pipeline)
        rows = [_row(one, pipeline, memory) for one in released]
        restored = [steps for one in released if (steps := _steps_to_restore(one, pipeline))]
    if as_json:
        text = {
            "releases": [dict(zip(COLUMNS, row, strict=True)) for row in rows],
            "restore_seconds": [dict(steps)[RESTORED] for steps in restored],
            "restore_steps": restored,
        }
        sys.stdout.write(json.dumps(text, indent=2) + "\n")
        return
    show_table(COLUMNS, rows)
    for steps in restored:
        sys.stdout.write(f"alarm's event to restored traffic: {dict(steps)[RESTORED]:.2f} s\n")
        sys.stdout.write("".join(f"  {seconds:6.2f} s  {name}\n" for name, seconds in steps))


def _row(one: Released, pipeline: Pipeline, memory: dict[str, int]) -> tuple[str, ...]:
    report = one.report
    calls = [_calls(execution, pipeline, memory) for execution in _executions(one)]
    invocations, gb_seconds = sum(c.invocations for c in calls), sum(c.gb_seconds for c in calls)
    cost = report.transitions * PER_TRANSITION + invocations * PER_INVOCATION + gb_seconds * PER_GB_SECOND
    shift, closed = _first(one, "ShiftTraffic"), report.release.closed_at or report.end
    first = f"{(shift - report.pushed_at).total_seconds():.1f} s" if shift else "-"
    end = f"{(closed - report.pushed_at).total_seconds():.1f} s"
    counted = (f"{report.transitions}", f"{invocations}", f"{gb_seconds:.1f}", f"{cost:.5f}")
    return (report.title, report.release.outcome.value, first, end, *counted)


def _first(one: Released, step: str) -> datetime | None:
    return next((entry.at for entry in one.report.entries if entry.step == step), None)


def _steps_to_restore(one: Released, pipeline: Pipeline) -> list[tuple[str, float]]:
    """The states of the rollback that an alarm's event started, and the restore, in seconds since its start.

    One Lambda, DiagnoseRollback, lies before the restore; the traffic is back before that is told the ledger.
    """
    restored = _first(one, "RestoreTraffic")
    rollbacks = _executions(one)[1:]
    if restored is None or not rollbacks:
        return []
    events = list(_history(rollbacks[0], pipeline))
    started = events[0]["timestamp"]
    entered = [(e["stateEnteredEventDetails"]["name"], e) for e in events if "stateEnteredEventDetails" in e]
    steps = [(f"{name} is entered", (e["timestamp"] - started).total_seconds()) for name, e in entered]
    steps.append((RESTORED, (restored - started).total_seconds()))
    return sorted(dict(reversed(steps)).items(), key=lambda step: step[1])


def _executions(one: Released) -> list[str]:
    """The release's own execution, and those of the rollback machine that took it back."""
    told = (e.evidence.get("execution") for e in one.report.entries if e.step == "DiagnoseRollback")
    return [one.report.release.ref.execution, *filter(None, told)]


def _calls(execution: str, pipeline: Pipeline, memory: dict[str, int]) -> Calls:
    begun: dict[int, tuple[str, datetime]] = {}
    invocations, gb_seconds = 0, 0.0
    for event in _history(execution, pipeline):
        if event["type"] == "TaskScheduled":
            parameters = json.loads(event["taskScheduledEventDetails"]["parameters"])
            begun[event["id"]] = (_name(parameters["FunctionName"]), event["timestamp"])
            invocations += 1
        elif event["type"] in {"TaskSucceeded", "TaskFailed", "TaskTimedOut"}:
            function, since = begun.pop(max(begun))
            seconds = (event["timestamp"] - since).total_seconds()
            gb_seconds += seconds * memory.get(function, MEGABYTES) / MEGABYTES
    return Calls(invocations, gb_seconds)


def _history(execution: str, pipeline: Pipeline) -> Iterator[Any]:
    pages = pipeline.machines.get_paginator("get_execution_history").paginate(executionArn=execution)
    for page in pages:
        yield from page["events"]


def _name(arn: str) -> str:
    return arn.split(":")[6]


def _memory(pipeline: Pipeline) -> dict[str, int]:
    """Megabytes by function."""
    pages = pipeline.client("lambda").get_paginator("list_functions").paginate()
    return {item["FunctionName"]: item["MemorySize"] for page in pages for item in page["Functions"]}
