"""The page of a simulation: one HTML file that needs nothing else, no script and no network."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from tidegate.cli.screens import duration
from tidegate.cli.simulation_drawing import draw_bars, draw_runs, show_count
from tidegate.domain.simulation.scenarios import HEALTHY, show_interval, show_share

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tidegate.cli.simulating import Simulated
    from tidegate.domain.simulation.results import Summary

NUMBER: Final = ' class="number"'
BREATH: Final = 1.1  # how much longer than the longest sample the time axis is
STYLE: Final = """\
section .wide { margin-top: 12px; }
svg .bar rect { fill: var(--canary); } svg .bar path { stroke: var(--soft); stroke-width: 1.5; fill: none; }
svg .sample { fill: none; stroke: var(--weight); stroke-width: 1.5; opacity: .7; }
svg .sample.harm { stroke: var(--canary); }
"""


def render_simulation(simulated: Simulated) -> str:
    """The page: what was replayed, then for each kind of new version the figures, bars and sample runs."""
    style = files("tidegate.cli").joinpath("report.css").read_text() + STYLE
    scenario = simulated.scenario
    traffic = scenario.traffic
    facts = (
        f"{traffic.rate:g} requests a second",
        f"{show_share(traffic.baseline)} fail anyhow",
        f"{scenario.runs} replays each",
        f"failures are counted over {duration(scenario.horizon)}",
        *(f"{name}: alarm above {show_share(limit)}" for name, limit in simulated.thresholds.items()),
    )
    sections = "".join(_render_fault(simulated, fault.name) for fault in scenario.every_fault)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Policies of traffic, replayed</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f'<h1>Policies of traffic, replayed</h1>\n<p class="note">{escape(" · ".join(facts))}</p>\n'
        f"{sections}</body>\n</html>\n"
    )


def _render_fault(simulated: Simulated, fault: str) -> str:
    summaries = [summary for summary in simulated.summaries if summary.fault == fault]
    healthy = fault == HEALTHY
    title = "A healthy version" if healthy else f"A bad version: {fault}"
    bars = "" if healthy else f'<div class="wide">{draw_bars(summaries)}</div>'
    return (
        f"<section><h2>{escape(title)}</h2>{_render_table(summaries, healthy=healthy)}{bars}"
        f"{_render_samples(simulated, summaries)}</section>\n"
    )


def _render_table(summaries: Iterable[Summary], *, healthy: bool) -> str:
    wrong = "false rollbacks" if healthy else "missed"
    names = (wrong, "95 % interval", "failed requests", "to rollback", "to promotion", "undecided")
    head = "<th>policy</th>" + "".join(f"<th{NUMBER}>{name}</th>" for name in names)
    rows = "".join(_render_row(summary) for summary in summaries)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _render_row(summary: Summary) -> str:
    cells = (
        show_share(summary.wrong.share),
        show_interval(summary.wrong),
        show_count(summary.failed),
        duration(summary.to_rollback) if summary.to_rollback is not None else "-",
        duration(summary.to_promotion) if summary.to_promotion is not None else "-",
        show_share(summary.undecided / summary.runs),
    )
    numbers = "".join(f"<td{NUMBER}>{escape(cell)}</td>" for cell in cells)
    return f"<tr><td>{escape(summary.policy)}</td>{numbers}</tr>"


def _render_samples(simulated: Simulated, summaries: Iterable[Summary]) -> str:
    samples = {one.policy: simulated.samples[one.fault, one.policy] for one in summaries}
    runs = [run for found in samples.values() for run in found]
    seconds = max(60.0, max(run.seconds for run in runs) * BREATH)
    most = max(run.failed for run in runs)
    return "".join(
        f'<div class="wide">{draw_runs(policy, found, seconds, most)}</div>'
        for policy, found in samples.items()
    )
