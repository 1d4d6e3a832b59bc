"""Replayed releases as SVG: bars of failed requests, weight and failures of sample runs over time.

Weights and failures are drawn on logarithmic axes, since a good policy and a bad one are decades apart.
Everything is placed here, colours are the style sheet's.
"""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Final, NamedTuple

from tidegate.cli.report_series import tick_step
from tidegate.cli.svg import WIDTH, write_text
from tidegate.domain.simulation.runs import End

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tidegate.domain.simulation.results import Summary
    from tidegate.domain.simulation.runs import Run

NAMES: Final = 250  # the width of the policies' names beside bars
BAR, GAP = 16, 10
LEFT, RIGHT = 46, 14
TOP, HEIGHT, FOOT = 30, 90, 30
PANEL: Final = (WIDTH - 20) / 2
LEAST_WEIGHT: Final = 0.001
SIGNS: Final = {End.PROMOTED: "advance", End.ROLLED_BACK: "rollback", End.UNDECIDED: "hold"}


class Axes(NamedTuple):
    """Where a panel lies, and the ranges of its axes; the vertical one is logarithmic."""

    x0: float
    width: float
    seconds: float
    low: float
    high: float

    def x(self, at: float) -> float:
        """The place of a time."""
        return self.x0 + LEFT + min(at / self.seconds, 1.0) * (self.width - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """The place of a value; what is below the least lies on the floor."""
        share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return TOP + HEIGHT * (1 - min(share, 1.0))


def draw_bars(summaries: Sequence[Summary]) -> str:
    """Failed requests by policy: a bar to the mean, a line to what 95 of 100 runs do not exceed."""
    high = 10 ** math.ceil(math.log10(max(10.0, *(max(s.failed, s.failed_95) for s in summaries))))
    scale = (WIDTH - NAMES - 110) / math.log10(high * 10)

    def x(value: float) -> float:
        return NAMES + scale * max(0.0, math.log10(max(value, 0.1) * 10))

    foot = len(summaries) * (BAR + GAP)
    parts = list(_draw_decades(high, x(1) - x(0.1), foot))
    for row, summary in enumerate(summaries):
        y = row * (BAR + GAP)
        title = f"{summary.policy}: {summary.failed:,.1f} requests failed on average"
        mean, most = x(summary.failed), x(summary.failed_95)
        parts += [
            f'<g class="bar"><title>{escape(title)}</title>',
            write_text(NAMES - 8, y + BAR - 3, summary.policy, "", "end"),
            f'<rect x="{NAMES}" y="{y}" width="{max(mean - NAMES, 1):.1f}" height="{BAR}" rx="2"/>',
            f'<path d="M{mean:.1f},{y + BAR / 2}H{most:.1f}m0,-5v10"/>',
            write_text(max(mean, most) + 8, y + BAR - 3, show_count(summary.failed), "title"),
            "</g>",
        ]
    return _frame("".join(parts), foot + 24, "failed requests by policy")


def _draw_decades(high: float, decade: float, foot: float) -> Iterator[str]:
    for power in range(-1, round(math.log10(high)) + 1):
        x = NAMES + decade * (power + 1)
        yield f'<line class="rule" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{foot}"/>'
        yield write_text(x, foot + 14, f"{10**power:,g}", "tick", "middle")


def draw_runs(policy: str, runs: Sequence[Run], seconds: float, most: float) -> str:
    """Sample runs of one policy: the weight, and beside it the requests that failed so far, if any did."""
    weights = Axes(0, PANEL if most else WIDTH, seconds, LEAST_WEIGHT, 1.0)
    parts = [
        *_draw_axes(weights, f"{policy}: weight", [(w, f"{100 * w:g} %") for w in (0.001, 0.01, 0.1, 1.0)]),
        *(_draw_weight(run, weights) for run in runs),
        *(_draw_end(run, weights) for run in runs),
    ]
    if most:
        failures = Axes(PANEL + 20, PANEL, seconds, 0.5, 10.0 ** max(1, math.ceil(math.log10(most))))
        parts += _draw_axes(failures, "failed requests so far", list(_ticks_of(failures.high)))
        parts += [_draw_harm(run, failures) for run in runs]
    return _frame("".join(parts), TOP + HEIGHT + FOOT, f"sample runs of {policy}")


def show_count(mean: float) -> str:
    """A mean number of requests, in at least two digits where there are two."""
    return f"{mean:,.2g}" if mean < 10 else f"{mean:,.0f}"  # noqa: PLR2004 (two digits)


def _ticks_of(high: float) -> Iterator[tuple[float, str]]:
    powers = range(round(math.log10(high)) + 1)
    for power in powers[:: max(1, math.ceil(len(powers) / 4))]:
        yield 10.0**power, f"{10**power:,}"


def _draw_axes(axes: Axes, title: str, ticks: Sequence[tuple[float, str]]) -> Iterator[str]:
    left, right = axes.x(0), axes.x(axes.seconds)
    yield write_text(left, TOP - 12, title, "title")
    for value, text in ticks:
        y = axes.y(value)
        yield f'<line class="rule" x1="{left:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield write_text(left - 6, y + 4, text, "tick", "end")
    step = tick_step(axes.seconds, 6)
    for at in range(0, math.floor(axes.seconds) + 1, step):
        yield write_text(axes.x(at), TOP + HEIGHT + 16, _minutes(at), "tick", "middle")


def _minutes(seconds: int) -> str:
    if not seconds:
        return "0"
    return f"{seconds} s" if seconds % 60 else f"{seconds // 60} min"


def _draw_weight(run: Run, axes: Axes) -> str:
    floor = axes.y(0)
    path = f"M{axes.x(0):.1f},{floor:.1f}"
    for at, weight in run.weights:
        path += f"H{axes.x(at):.1f}V{axes.y(weight):.1f}"
    return f'<path class="sample" d="{path}H{axes.x(axes.seconds):.1f}"/>'


def _draw_harm(run: Run, axes: Axes) -> str:
    path = f"M{axes.x(0):.1f},{axes.y(0):.1f}"
    for at, failed in run.harm:
        if at > axes.seconds:
            break
        path += f"H{axes.x(at):.1f}V{axes.y(failed):.1f}"
    return f'<path class="sample harm" d="{path}H{axes.x(axes.seconds):.1f}"/>'


def _draw_end(run: Run, axes: Axes) -> str:
    from tidegate.cli.report_drawing import shape

    before = run.weights[-2][1] if len(run.weights) > 1 else 0.0
    kind = SIGNS[run.end]
    title = f"{run.end.value.replace('_', ' ')} after {run.seconds:.0f} s"
    mark = shape(kind, axes.x(run.seconds), axes.y(before))
    return f'<g class="verdict {kind}"><title>{title}</title>{mark}</g>'


def _frame(parts: str, height: float, label: str) -> str:
    box = f"0 0 {WIDTH} {height:.0f}"
    return f'<svg class="timeline" viewBox="{box}" role="img" aria-label="{escape(label)}">{parts}</svg>'
