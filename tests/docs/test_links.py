from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from docs.pages import REFERENCE

if TYPE_CHECKING:
    from pathlib import Path

ROOT = REFERENCE.parents[1]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
DECISIONS = REFERENCE.parent / "decisions"
README_LINES = 150


def targets(file: Path) -> list[str]:
    text = re.sub(r"```.*?```", "", file.read_text(), flags=re.DOTALL)
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]


def test_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) <= README_LINES


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_relative_links_exist(file: Path) -> None:
    assert [target for target in targets(file) if not (file.parent / target.partition("#")[0]).exists()] == []


def test_commands_of_make_are_targets() -> None:
    made = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        name
        for file in PAGES
        for name in re.findall(r"(?:^    |`)make ([a-z]+)", file.read_text(), re.MULTILINE)
    }
    assert {"demo", "test"} <= named
    assert named - made == set()


def test_folders_of_the_layout_exist() -> None:
    layout = README.read_text().split("## Layout", 1)[1].split("## ", 1)[0]
    first = [
        cell
        for row in re.findall(r"^\| (`.*?) \|", layout, re.MULTILINE)
        for cell in re.findall(r"`(.*?)`", row)
    ]
    assert first
    assert [path for path in first if not (ROOT / path).exists()] == []


def test_every_decision_is_listed_with_its_title_and_every_page_linked() -> None:
    index = (DECISIONS / "README.md").read_text()
    for file in sorted(DECISIONS.glob("[0-9]*.md")):
        title = re.sub(r"^# +(\d+\. +)?", "", file.read_text().splitlines()[0]).rstrip(".")
        assert f"- [{file.name[:4]}]({file.name}): {title}" in index.splitlines()


def test_every_page_of_guide_and_reference_is_linked_from_somewhere() -> None:
    linked = {
        (file.parent / target.partition("#")[0]).resolve() for file in PAGES for target in targets(file)
    }
    pages = [*(ROOT / "docs" / "guide").glob("*.md"), *REFERENCE.glob("*.md"), DECISIONS / "README.md"]
    assert [page.name for page in pages if page.resolve() not in linked] == []
