"""What all drawings share: their width, and text at a place. Colours are the style sheet's."""

from __future__ import annotations

from html import escape
from typing import Final

WIDTH: Final = 960


def write_text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    """A text as an SVG element; `anchor` says which end of it stands at `x`."""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'
