"""The report of a run of releases: one HTML page that needs nothing else, no script and no network.

Everything that comes from a commit, a template or AWS is escaped.
"""

from __future__ import annotations

import json
from datetime import UTC
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from tidegate.cli.outcomes import say
from tidegate.cli.report_drawing import draw_timeline, shape
from tidegate.cli.report_series import ReleaseReport, TrafficSample
from tidegate.cli.screens import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tidegate.domain.ledger import Entry, Outcome

__all__ = ["ReleaseReport", "TrafficSample", "render_report"]

NUMBER: Final = ' class="number"'
SIGNS: Final = {
    "advance": "the judge advances",
    "hold": "holds for more evidence",
    "rollback": "turns back",
}


def render_report(title: str, releases: Sequence[ReleaseReport]) -> str:
    """The page: a summary of all releases, then each with its timeline and its ledger entries."""
    style = files("tidegate.cli").joinpath("report.css").read_text()
    sections = "".join(_render_release(report) for report in releases)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f'<h1>{escape(title)}</h1>\n<p class="note">{len(releases)} releases. Times are UTC; marks and lines '
        f"explain themselves when pointed at.</p>\n{_render_summary(releases)}\n{sections}</body>\n</html>\n"
    )


def _render_summary(releases: Sequence[ReleaseReport]) -> str:
    names = ("commit", "outcome", "expected", "time", "requests", "failed", "transitions")
    numbers = {"requests", "failed", "transitions"}
    head = "".join(f"<th{NUMBER if name in numbers else ''}>{name}</th>" for name in names)
    rows = "".join(_render_row(report) for report in releases)
    return (
        f'<div class="wide summary"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _render_row(report: ReleaseReport) -> str:
    ref = report.release.ref
    return (
        f'<tr><td><a href="#{escape(_anchor(report))}">{escape(report.title)}</a></td>'
        f'<td class="fixed">{_badge(report.release.outcome)}</td><td class="fixed">{_expected(report)}</td>'
        f'<td class="fixed">{_took(report)}</td>'
        + "".join(
            f"<td{NUMBER}>{count:,}</td>" for count in (report.requests, report.failed, report.transitions)
        )
        + f"</tr><!-- {escape(ref.service)} {escape(ref.id)} -->"
    )


def _render_release(report: ReleaseReport) -> str:
    release = report.release
    opened = release.ref.opened_at.astimezone(UTC)
    facts = (
        f"release {release.ref.id} of {release.ref.service}",
        f"on {release.commit.branch}",
        f"{opened:%Y-%m-%d %H:%M:%S}",
        _took(report),
        f"{report.requests:,} requests, {report.failed:,} failed",
        f"{report.transitions:,} state transitions",
        f"expected: {report.expected.replace('_', ' ')}" if report.expected else "",
    )
    meta = " · ".join(escape(fact) for fact in facts if fact)
    reason = f'<p class="reason">{escape(release.reason)}</p>' if release.reason else ""
    return (
        f'<section id="{escape(_anchor(report))}"><h2>{escape(report.title)} {_badge(release.outcome)}</h2>'
        f'<div class="meta">{meta}</div>{_legend()}<div class="wide">{draw_timeline(report)}</div>{reason}'
        f"{_render_entries(report.entries)}</section>\n"
    )


def _render_entries(entries: Sequence[Entry]) -> str:
    rows = "".join(
        f'<tr><td class="fixed">{entry.at.astimezone(UTC):%H:%M:%S}</td>'
        f'<td class="fixed">{escape(entry.step)}</td><td class="fixed">{escape(entry.stage)}</td>'
        f"<td>{escape(entry.what)}{_evidence(entry)}</td></tr>"
        for entry in entries
    )
    head = "<tr><th>time</th><th>step</th><th>stage</th><th>what</th></tr>"
    return (
        f"<details><summary>{len(entries)} ledger entries</summary>"
        f'<div class="wide"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div></details>'
    )


def _evidence(entry: Entry) -> str:
    if not entry.evidence:
        return ""
    text = json.dumps(entry.evidence, indent=1, default=str)
    return f"<details><summary>evidence</summary><pre>{escape(text)}</pre></details>"


def _legend() -> str:
    signs = "".join(
        f'<span><svg width="14" height="14" viewBox="0 0 14 14"><g class="verdict {kind}">{shape(kind, 7, 7)}'
        f"</g></svg>{text}</span>"
        for kind, text in SIGNS.items()
    )
    return f'<div class="legend">{signs}</div>'


def _badge(outcome: Outcome) -> str:
    return f'<span class="badge {outcome.value}">{say(outcome)}</span>'


def _expected(report: ReleaseReport) -> str:
    if report.expected is None:
        return "-"
    right = report.expected == report.release.outcome.value
    words = escape(report.expected.replace("_", " "))
    return f'<span class="promoted">✓</span> {words}' if right else f'<span class="wrong">✗ {words}</span>'


def _took(report: ReleaseReport) -> str:
    closed = report.release.closed_at
    return duration((closed - report.start).total_seconds()) if closed else "still open"


def _anchor(report: ReleaseReport) -> str:
    return f"{report.release.ref.service}-{report.release.ref.id}"
