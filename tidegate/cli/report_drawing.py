"""A release's timeline as SVG: its parts, the weight of the new versions, and the error rates below it.

Everything is placed here, colours are the style sheet's. Texts that would overlap are moved or left to the
tooltips, which say what a mark means.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from tidegate.cli.report_series import (
    VERDICT_KINDS,
    find_bands,
    find_marks,
    find_rates,
    find_weights,
    tick_step,
    top_rate,
)
from tidegate.cli.svg import WIDTH, write_text
from tidegate.domain.strategies import ALL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tidegate.cli.report_series import Band, Line, Mark, Rate, ReleaseReport

LEFT, RIGHT = 48, 100  # margins: the axes' numbers, and the lines' names
BAND_TOP, BAND_HEIGHT = 34, 18
WEIGHT_TOP, WEIGHT_HEIGHT = 80, 110
RATE_TOP, RATE_HEIGHT = 226, 100
AXIS: Final = RATE_TOP + RATE_HEIGHT
FOOT: Final = 24
LETTER: Final = 6.4  # the width of a letter of 11 px, about
ROWS: Final = 2  # for the names of moments
LONE_DOT: Final = 2
LABELLED: Final = 60  # the width of a step from which on its weight is written on it
SHORT: Final = {"source, build, test, plan": "build", "production": "prod"}
NAMES: Final = {
    "alarm": "alarm",
    "order": "rollback asked",
    "restored": "restored",
    "asked": "approval asked",
    "approved": "approved",
    "rejected": "rejected",
}


class Scale(NamedTuple):
    """Time to x; `axis` is the y of the time axis."""

    start: datetime
    end: datetime
    axis: int

    def x(self, at: datetime) -> float:
        """The place of a time, within the plot."""
        share = (at - self.start) / (self.end - self.start)
        return LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT - RIGHT)


def draw_timeline(report: ReleaseReport) -> str:
    """The timeline of one release."""
    marks, weights, rates = find_marks(report), find_weights(report), find_rates(report)
    plotted = bool(weights or rates)
    scale = Scale(report.start, report.end, AXIS if plotted else BAND_TOP + BAND_HEIGHT + 4)
    moments = [mark for mark in marks if mark.kind not in VERDICT_KINDS]
    parts = [
        *_draw_bands(find_bands(report), scale),
        *(_draw_grid(rates) if plotted else ()),
        *_draw_ticks(scale),
        *_draw_moments(moments, scale),
        *(part for line in weights for part in _draw_weight(line, scale)),
        *(_draw_verdict(mark, scale) for mark in marks if mark.kind in VERDICT_KINDS),
        *(_draw_rates(rates, scale) if plotted else ()),
    ]
    top = 0 if moments else BAND_TOP - 4
    box = f"0 {top} {WIDTH} {scale.axis + FOOT - top}"
    label = escape(f"timeline of release {report.release.ref.id}")
    return f'<svg class="timeline" viewBox="{box}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _draw_bands(bands: Iterable[Band], scale: Scale) -> Iterator[str]:
    for band in bands:
        left, right = scale.x(band.start), scale.x(band.end)
        width = max(right - left - 1, 1)
        seconds = (band.end - band.start).total_seconds()
        names = (band.text, SHORT.get(band.text, ""))
        name = next((text for text in names if _fits(text, width)), "")
        yield (
            f'<g class="band {band.kind}"><title>{escape(band.text)}: {seconds:.0f} s</title>'
            f'<rect x="{left:.1f}" y="{BAND_TOP}" width="{width:.1f}" height="{BAND_HEIGHT}" rx="3"/>'
            f"{write_text((left + right) / 2, BAND_TOP + 13, name, anchor='middle') if name else ''}</g>"
            f'<line class="divider" x1="{left:.1f}" x2="{left:.1f}" y1="{BAND_TOP}" y2="{scale.axis}"/>'
        )


def _fits(text: str, width: float) -> bool:
    return len(text) * LETTER + 6 <= width


def _draw_grid(rates: Sequence[Rate]) -> Iterator[str]:
    yield write_text(LEFT, WEIGHT_TOP - 10, "traffic on the new versions", "title")
    yield write_text(LEFT, RATE_TOP - 10, "failed requests", "title")
    top = top_rate(rates)
    for share in (0, 0.5, 1):
        yield from _draw_rule(WEIGHT_TOP + WEIGHT_HEIGHT * (1 - share), f"{100 * share:.0f} %")
        yield from _draw_rule(RATE_TOP + RATE_HEIGHT * (1 - share), f"{100 * share * top:g} %")


def _draw_rule(y: float, text: str) -> Iterator[str]:
    yield f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
    yield write_text(LEFT - 6, y + 4, text, "tick", "end")


def _draw_ticks(scale: Scale) -> Iterator[str]:
    step = tick_step((scale.end - scale.start).total_seconds())
    pattern = "%H:%M:%S" if step < 60 else "%H:%M"  # noqa: PLR2004 (seconds in a minute)
    first = -(-scale.start.timestamp() // step) * step
    at = datetime.fromtimestamp(first, UTC)
    while at <= scale.end:
        x = scale.x(at)
        yield f'<line class="rule" x1="{x:.1f}" x2="{x:.1f}" y1="{scale.axis}" y2="{scale.axis + 5}"/>'
        yield write_text(x, scale.axis + 18, at.strftime(pattern), "tick", "middle")
        at += timedelta(seconds=step)


def _draw_moments(marks: Sequence[Mark], scale: Scale) -> Iterator[str]:
    """A dashed line for each moment; its name in the first row that is free there, else in its tooltip."""
    ends = [0.0] * ROWS
    for mark in marks:
        x, name = scale.x(mark.at), NAMES[mark.kind]
        width = len(name) * LETTER + 8
        left = min(x, WIDTH - width)
        row = next((row for row in range(ROWS) if ends[row] <= left), None)
        title = f"<title>{escape(_clock(mark.at))} {escape(mark.text)}</title>"
        top = BAND_TOP if row is None else 4 + 14 * row
        text = ""
        if row is not None:
            ends[row] = left + width
            text = write_text(left + 3 if left == x else left, 13 + 14 * row, name)
        line = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{scale.axis}"/>'
        yield f'<g class="moment {mark.kind}">{title}{line}{text}</g>'


def _draw_weight(line: Line, scale: Scale) -> Iterator[str]:
    def y(weight: float) -> float:
        return WEIGHT_TOP + WEIGHT_HEIGHT * (1 - weight / 100)

    (at, weight), *rest = line.points
    path = f"M{scale.x(at):.1f},{y(weight):.1f}"
    for at, weight in rest:
        path += f"H{scale.x(at):.1f}V{y(weight):.1f}"
    floor = f"V{y(0):.1f}H{scale.x(line.points[0][0]):.1f}Z"
    title = f"<title>{escape(line.stage)}: {', '.join(f'{weight:g} %' for weight in _weights(line))}</title>"
    area = f'<path class="area" d="{path}{floor}"/>'
    labels = (
        write_text(scale.x(at) + 4, y(weight) - 5, f"{weight:g} %", "tick")
        for (at, weight), (until, _) in pairwise(rest)
        if 0 < weight < ALL and scale.x(until) - scale.x(at) >= LABELLED
    )
    yield f'<g class="weight">{title}{area}<path class="line" d="{path}"/>{"".join(labels)}</g>'


def _weights(line: Line) -> list[float]:
    found: list[float] = []
    for _, weight in line.points[1:]:
        if not found or found[-1] != weight:
            found.append(weight)
    return found


def _draw_verdict(mark: Mark, scale: Scale) -> str:
    x, y = scale.x(mark.at), WEIGHT_TOP + WEIGHT_HEIGHT * (1 - mark.weight / 100)
    title = f"<title>{escape(_clock(mark.at))} {escape(mark.text)}</title>"
    return f'<g class="verdict {mark.kind}">{title}{shape(mark.kind, x, y)}</g>'


def shape(kind: str, x: float, y: float) -> str:
    """The sign of a verdict: up, down, or a dash."""
    if kind == "hold":
        return f'<rect x="{x - 4.5:.1f}" y="{y - 4.5:.1f}" width="9" height="9" rx="1.5"/>'
    up = 1 if kind == "advance" else -1
    return f'<path d="M{x:.1f},{y - 6 * up:.1f}l5.5,{10 * up}h-11z"/>'


def _draw_rates(rates: Sequence[Rate], scale: Scale) -> Iterator[str]:
    top = top_rate(rates)
    if not rates:
        yield write_text(
            (LEFT + WIDTH - RIGHT) / 2, RATE_TOP + RATE_HEIGHT / 2, "no requests", "tick", "middle"
        )

    def y(rate: float) -> float:
        return RATE_TOP + RATE_HEIGHT * (1 - rate / top)

    for rate in rates:
        title = f"{rate.side}: {rate.failed:,} of {rate.requests:,} requests failed"
        yield f'<g class="rate {rate.side}"><title>{title}</title>'
        yield from (_draw_run(run, scale, y) for run in rate.runs)
        yield "</g>"
    ends = _spread([y(rate.runs[-1][-1][1]) for rate in rates])
    for rate, place in zip(rates, ends, strict=True):
        name = f"{'new' if rate.side == 'canary' else 'stable'} {_percent(rate.overall)}"
        yield write_text(WIDTH - RIGHT + 8, place + 4, name, f"name {rate.side}")


def _draw_run(run: Sequence[tuple[datetime, float]], scale: Scale, y: Callable[[float], float]) -> str:
    points = [f"{scale.x(at):.1f},{y(rate):.1f}" for at, rate in run]
    if len(points) < LONE_DOT:
        x, _, height = points[0].partition(",")
        return f'<circle cx="{x}" cy="{height}" r="2.5"/>'
    return f'<path d="M{"L".join(points)}"/>'


def _spread(places: Sequence[float], least: float = 14) -> list[float]:
    """The heights of at most two names, moved apart where they would overlap."""
    if len(places) < 2 or abs(places[0] - places[1]) >= least:  # noqa: PLR2004 (two names)
        return list(places)
    middle, up = sum(places) / 2, 1 if places[0] <= places[1] else -1
    middle = min(middle, AXIS - least / 2)
    return [middle - up * least / 2, middle + up * least / 2]


def _percent(rate: float) -> str:
    if rate == 0:
        return "0 %"
    return "< 0.1 %" if rate < 0.001 else f"{100 * rate:.1f} %"  # noqa: PLR2004 (a tenth of a percent)


def _clock(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%H:%M:%S")
