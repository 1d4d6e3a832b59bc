from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from docs.pages import REFERENCE

if TYPE_CHECKING:
    from pathlib import Path

ROOT = REFERENCE.parents[1]
PAGE = ROOT / "docs" / "guide" / "architecture.md"
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Where code makes the key of a document: after a prefix, or as the name of one that stands below it.
KEYS = (
    r'prefix(?:\([^"]*?\))?\}([\w{}.-]+\.(?:json|md|zip|txt|xml))"',
    r'(?:^|[ (\[{,])"((?:[\w-]+-)?template\.json)"',
    r'\{self\._prefix\}([\w{}.-]+\.json)"',
)
HOLES = {
    "attempt": "<attempt>",
    "name": "<side stack>",
    "stack.name": "<side stack>",
    "update.name": "<update>",
}
PATHS = r"`((?:tidegate|functions|infra|statemachines|benchmarks|docs|examples)/[\w./-]+)`"


def read(file: Path) -> str:
    return re.sub(r"```.*?```", "", file.read_text(), flags=re.DOTALL)


def named() -> set[str]:
    """The keys that the code writes or reads, with what a hole stands for."""
    files = [*(ROOT / "functions").rglob("*.py"), *(ROOT / "tidegate" / "adapters").rglob("*.py")]
    texts = [file.read_text() for file in files]
    found = {key for text in texts for pattern in KEYS for key in re.findall(pattern, text, re.MULTILINE)}
    filled = {re.sub(r"\{([\w.]+)\}", lambda hole: HOLES.get(hole[1], hole[0]), key) for key in found}
    # A hole that is a whole name is chosen from names that stand in the table themselves.
    return {key for key in filled if not key.startswith("{")}


def test_every_document_stands_in_the_table() -> None:
    documented = set(re.findall(r"`([^`]+)`", read(PAGE)))
    keys = named()
    assert {"plan.json", "trial.json", "held-template.json", "<update>-begun.json"} <= keys
    assert sorted(keys - documented) == []


@pytest.mark.parametrize("file", GUIDES, ids=lambda file: str(file.relative_to(ROOT)))
def test_paths_in_backticks_exist(file: Path) -> None:
    paths = re.findall(PATHS, read(file))
    assert [path for path in paths if not (ROOT / path).exists()] == []
