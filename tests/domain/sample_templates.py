"""The templates under `samples`, parsed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tidegate.adapters.templates import parse

if TYPE_CHECKING:
    from tidegate.domain.templates.template import Template

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.*"))


def load(name: str) -> Template:
    path = next(path for path in SAMPLES if path.stem == name)
    return parse(path.read_text(), path.name)
