from __future__ import annotations

import re

from docs.pages import REFERENCE
from tidegate.domain.intake import READERS
from tidegate.domain.pipeline import NOTIFIED_EVENTS

PAGE = (REFERENCE / "events.md").read_text()


def test_every_event_that_people_are_told_is_documented_and_no_other() -> None:
    table = PAGE.split("## ", 1)[0]
    assert sorted(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)) == sorted(NOTIFIED_EVENTS)


def test_every_event_that_intake_reads_is_documented() -> None:
    assert all(f"`{kind}`" in PAGE and f"`{source}`" in PAGE for source, kind in READERS)
