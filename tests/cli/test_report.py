from __future__ import annotations

import re
from datetime import timedelta
from html.parser import HTMLParser
from itertools import combinations
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cli.stories import FUNCTION, START, Story, alarmed, all_of_them, judged, promoted, refused
from tidegate.cli.report import ReleaseReport, render_report
from tidegate.cli.report_drawing import LETTER, WIDTH, draw_timeline
from tidegate.cli.report_series import find_bands, find_marks, find_rates, find_weights, tick_step
from tidegate.domain.ledger import Outcome

ANCHORS = {"start": 0.0, "middle": 0.5, "end": 1.0}


def boxes(svg: str) -> list[tuple[str, float, float, float, float]]:
    """Where the texts of a drawing are, about: text, left, right, top, bottom."""
    found = []
    for text in ET.fromstring(svg).iter("text"):  # noqa: S314 (our own)
        width = len(text.text or "") * LETTER * 0.95
        left = float(text.attrib["x"]) - ANCHORS[text.attrib["text-anchor"]] * width
        bottom = float(text.attrib["y"])
        found.append((text.text or "", left, left + width, bottom - 9, bottom))
    return found


def seconds(report: ReleaseReport, points: object) -> object:
    """Times as seconds from the release's opening."""
    if isinstance(points, tuple | list):
        return [seconds(report, point) for point in points]
    return (points - report.start).total_seconds() if hasattr(points, "tzinfo") else points


def test_weights_hold_until_the_next_shift_and_end_with_the_stage() -> None:
    report = promoted()
    staging, production = find_weights(report)
    assert seconds(report, staging.points) == [[19, 0], [19, 100], [21, 100]]
    assert seconds(report, production.points) == [[28, 0], [28, 10], [39.5, 50], [48.5, 100], [64, 100]]


def test_restoring_takes_the_weight_to_nothing() -> None:
    report = judged()
    assert seconds(report, find_weights(report)[1].points) == [[28, 0], [28, 10], [43, 10], [43, 0], [53, 0]]
    assert [(band.kind, band.text) for band in find_bands(report)] == [
        ("build", "source, build, test, plan"),
        ("stage", "staging"),
        ("stage", "production"),
        ("back", "rollback"),
    ]


def test_marks_tell_what_an_operator_looks_for() -> None:
    assert [mark.kind for mark in find_marks(judged())] == ["hold", "rollback", "restored"]
    assert [mark.kind for mark in find_marks(alarmed())] == [
        "asked",
        "approved",
        "advance",
        "advance",
        "alarm",
        "restored",
    ]
    assert find_marks(refused()) == []


def test_diagnosis_that_blames_nobody_is_no_way_back() -> None:
    story = Story("Fine", "a").enter(10, "production").shift(12, "production", 10)
    story.tell(14, "DiagnoseRollback", "alarm errors of A in production: both versions alike; no rollback")
    report = story.end(20, Outcome.PROMOTED)
    assert [band.kind for band in find_bands(report)] == ["build", "stage"]
    assert find_weights(report)[0].points[-1][1] == 10


def test_rates_are_told_by_the_versions_that_were_published() -> None:
    stable, canary = find_rates(judged())
    assert (stable.side, canary.side) == ("stable", "canary")
    assert stable.requests + canary.requests == judged().requests
    assert stable.failed + canary.failed == judged().failed
    assert canary.overall > 0.1 > stable.overall
    assert len(canary.runs) == 1


def test_page_needs_nothing_else_and_runs_nothing() -> None:
    page = render_report("orders", all_of_them())
    assert not re.search(r"<script|<link|<img|@import|url\(|https?://", page)
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page


def test_summary_says_what_was_expected() -> None:
    page = render_report("orders", all_of_them())
    assert "✗ promoted" in page
    assert page.count("✓") == 4
    assert "1,318" in page


def test_everything_from_outside_is_escaped() -> None:
    evil = '<script>alert("&")</script>'
    story = Story(evil, "a").enter(2, evil).shift(3, evil, 10)
    story.judge(4, "hold", 10, evil).tell(5, "AwaitApproval", evil, evil, **{evil: evil})
    page = render_report(evil, [story.end(9, Outcome.REJECTED, evil, evil)])
    assert "<script" not in page
    assert "alert" in page
    balanced = Balance()
    balanced.feed(page)
    assert balanced.open == []


class Balance(HTMLParser):
    """What is still open at the end, and whether each end tag has its beginning."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        """Nothing stays open."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("report", all_of_them(), ids=lambda report: report.release.outcome.value)
def test_texts_do_not_overlap(report: ReleaseReport) -> None:
    placed = boxes(draw_timeline(report))
    for one, other in combinations(placed, 2):
        apart = one[2] <= other[1] or other[2] <= one[1] or one[4] <= other[3] or other[4] <= one[3]
        assert apart, (one, other)
    assert all(left >= 0 and right <= WIDTH for _, left, right, _, _ in placed)


STEPS = st.sampled_from(
    [
        "EnterStage",
        "ShiftTraffic",
        "JudgeCanary",
        "LeaveStage",
        "DiagnoseRollback",
        "RestoreTraffic",
        "AwaitApproval",
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(STEPS, st.floats(0, 90_000), st.integers(0, 100)), max_size=15))
def test_any_history_can_be_drawn(told: list[tuple[str, float, int]]) -> None:
    story = Story("Anything", "a")
    for step, second, weight in sorted(told, key=lambda one: one[1]):
        evidence = {
            "weight": weight,
            "status": "hold",
            "restored": weight,
            "stable": {"production": {FUNCTION: "3"}},
        }
        story.tell(second, step, "something happened", "production", **evidence)
    report = story.end(1, Outcome.OPEN)
    svg = ET.fromstring(draw_timeline(report))  # noqa: S314 (our own)
    assert svg.tag == "svg"
    assert sum((band.end - band.start for band in find_bands(report)), timedelta()) == report.end - START


@given(st.floats(1, 10_000_000))
def test_time_axis_has_some_ticks_and_not_too_many(length: float) -> None:
    assert length / tick_step(length) <= 8
