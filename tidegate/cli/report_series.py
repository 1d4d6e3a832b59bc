"""What a release's timeline shows, computed from its ledger entries and from requests that were counted.

Pure: values in, values out. Times are the entries' own; weights are percent, rates are fractions.
"""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from pydantic import Field

from tidegate.domain.identity import Frozen
from tidegate.domain.ledger import Entry, Release

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BINS: Final = 45  # points of an error rate line, at most
SHORTEST_BIN: Final = 2.0  # seconds: at 10 % of little traffic less holds hardly a request
BACK: Final = ("DiagnoseRollback", "RestoreTraffic")
VERDICTS: Final = {
    "rollback": "rollback",
    "ramp": "advance",
    "promote": "advance",
    "hold": "hold",
    "hold_suspicious": "hold",
    "hold_downstream": "hold",
    "hold_shared": "hold",
    "insufficient_evidence": "hold",
}
VERDICT_KINDS: Final = frozenset(VERDICTS.values())


class TrafficSample(Frozen):
    """Requests that one version of a function served from `at` on, and how many of them failed.

    `version` is Lambda's number; which of them is stable is read off the ledger.
    """

    at: datetime
    stage: str
    function: str
    version: str
    requests: int = Field(ge=0)
    failed: int = Field(ge=0)


class ReleaseReport(Frozen):
    """One release as the report tells of it; `requests` and `failed` are those sent while it ran.

    `pushed_at` is the time of the event that started it.
    """

    release: Release
    pushed_at: datetime
    entries: tuple[Entry, ...]
    title: str
    expected: str | None = None
    samples: tuple[TrafficSample, ...] = ()
    transitions: int = 0
    requests: int = 0
    failed: int = 0

    @property
    def start(self) -> datetime:
        """When the release was opened."""
        return self.release.ref.opened_at

    @property
    def end(self) -> datetime:
        """When the last thing happened; later than the start."""
        times = [entry.at for entry in self.entries] + [sample.at for sample in self.samples]
        last = max([*times, self.release.closed_at or self.start])
        return max(last, self.start + timedelta(seconds=1))


class Band(NamedTuple):
    """A part of the release's time: `kind` is build, stage or back."""

    kind: str
    text: str
    start: datetime
    end: datetime


class Line(NamedTuple):
    """The weight of a stage's new versions: each point holds until the next; the last ends the line."""

    stage: str
    points: tuple[tuple[datetime, float], ...]


class Mark(NamedTuple):
    """A moment and what it means: a verdict (advance, hold, rollback), alarm, restored, asked and so on."""

    kind: str
    at: datetime
    text: str
    weight: float = 0


class Rate(NamedTuple):
    """The share of failed requests of one side over time, in runs without gaps, and over all of it."""

    side: str
    runs: tuple[tuple[tuple[datetime, float], ...], ...]
    requests: int
    failed: int

    @property
    def overall(self) -> float:
        """Failed requests of all."""
        return self.failed / self.requests if self.requests else 0.0


def find_bands(report: ReleaseReport) -> list[Band]:
    """Building, each stage, and going back: one after the other, without gaps."""
    starts = [("build", "source, build, test, plan", report.start)]
    moved = any(entry.step == "ShiftTraffic" for entry in report.entries)
    for entry in report.entries:
        if entry.step == "EnterStage":
            starts.append(("stage", entry.stage, entry.at))
        elif entry.step in BACK and starts[-1][0] != "back" and _goes_back(entry):
            starts.append(("back", "rollback" if moved else "undo", entry.at))
    ends = [start for _, _, start in starts[1:]] + [report.end]
    return [Band(kind, text, start, end) for (kind, text, start), end in zip(starts, ends, strict=True)]


def find_weights(report: ReleaseReport) -> list[Line]:
    """A line for each stage that shifted, from its first shift to its end or to the restoring."""
    points: dict[str, list[tuple[datetime, float]]] = {}
    open_stages: set[str] = set()
    for entry in report.entries:
        if entry.step == "ShiftTraffic" and "weight" in entry.evidence:
            points.setdefault(entry.stage, [(entry.at, 0)]).append(
                (entry.at, float(entry.evidence["weight"]))
            )
            open_stages.add(entry.stage)
        elif entry.step == "LeaveStage" and entry.stage in open_stages:
            points[entry.stage].append((entry.at, points[entry.stage][-1][1]))
            open_stages.discard(entry.stage)
        elif entry.step == "RestoreTraffic":
            for stage, line in points.items():
                if stage in open_stages or stage in entry.evidence.get("stable", {}):
                    line.extend(((entry.at, line[-1][1]), (entry.at, 0), (report.end, 0)))
            open_stages.clear()
    for stage in open_stages:
        points[stage].append((report.end, points[stage][-1][1]))
    return [Line(stage, tuple(line)) for stage, line in points.items()]


def find_marks(report: ReleaseReport) -> list[Mark]:
    """The verdicts, and what else an operator looks for."""
    return [mark for entry in report.entries if (mark := _mark(entry)) is not None]


def _mark(entry: Entry) -> Mark | None:
    if entry.step == "JudgeCanary":
        status = str(entry.evidence.get("status", ""))
        weight = float(entry.evidence.get("weight", 0))
        return Mark(VERDICTS[status], entry.at, entry.what, weight) if status in VERDICTS else None
    if entry.step == "DiagnoseRollback" and not entry.key.endswith("#details"):
        kind = "alarm" if "alarm " in entry.what else "order"
        return Mark(kind, entry.at, entry.what)
    if entry.step == "RestoreTraffic" and entry.evidence.get("restored"):
        return Mark("restored", entry.at, entry.what)
    if entry.step == "AwaitApproval":
        answered = entry.evidence.get("answer")
        return Mark(str(answered) if answered else "asked", entry.at, entry.what)
    return None


def find_rates(report: ReleaseReport) -> list[Rate]:
    """The error rate of the stable and of the new versions, all functions together."""
    width = max(SHORTEST_BIN, (report.end - report.start).total_seconds() / BINS)
    counts: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    canaries = find_canaries(report.entries)
    for sample in report.samples:
        canary = canaries.get((sample.stage, sample.function)) == sample.version
        index = math.floor((sample.at - report.start).total_seconds() / width)
        cell = counts["canary" if canary else "stable"][index]
        cell[0] += sample.requests
        cell[1] += sample.failed
    return [
        Rate(
            side,
            tuple(_runs(counts[side], report.start, width)),
            sum(cell[0] for cell in counts[side].values()),
            sum(cell[1] for cell in counts[side].values()),
        )
        for side in ("stable", "canary")
        if any(cell[0] for cell in counts[side].values())
    ]


def find_canaries(entries: Iterable[Entry]) -> dict[tuple[str, str], str]:
    """The new version by stage and function, as PublishVersions recorded it."""
    return {
        (entry.stage, function): str(versions["canary"])
        for entry in entries
        if entry.step == "PublishVersions"
        for function, versions in entry.evidence.get("versions", {}).items()
    }


def _runs(
    cells: dict[int, list[int]], start: datetime, width: float
) -> list[tuple[tuple[datetime, float], ...]]:
    """Points in the middle of their bins; a bin or two without requests do not break a run."""
    filled = sorted(index for index, cell in cells.items() if cell[0])
    breaks = [0, *(at + 1 for at, (a, b) in enumerate(pairwise(filled)) if b - a > 3), len(filled)]  # noqa: PLR2004
    return [
        tuple(
            (start + timedelta(seconds=(index + 0.5) * width), cells[index][1] / cells[index][0])
            for index in filled[first:last]
        )
        for first, last in pairwise(breaks)
    ]


def tick_step(seconds: float, most: int = 8) -> int:
    """Seconds between the ticks of a time axis."""
    steps: Sequence[int] = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200)
    return next(
        (step for step in steps if seconds / step <= most), 86_400 * math.ceil(seconds / 86_400 / most)
    )


def top_rate(rates: Iterable[Rate]) -> float:
    """The upper end of a rate axis."""
    highest = max((rate for one in rates for run in one.runs for _, rate in run), default=0.0)
    return next(top for top in (0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if highest <= top)


def _goes_back(entry: Entry) -> bool:
    """A diagnosis that blames nobody goes nowhere."""
    return entry.step == "RestoreTraffic" or entry.what.startswith("taking ")
