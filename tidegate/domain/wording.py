"""Names in sentences that people read: a release of very many functions is still told in one line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN: Final = 6
# What moves a terminal's cursor, colours its text or names its window. Source: ECMA-48, "Control functions".
ESCAPE: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?")


def count(number: int, one: str, many: str = "") -> str:
    """`1 record`, `2,000 records`."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def list_names(names: Sequence[str]) -> str:
    """`A, B`, and from seven names on the first six `and 4 more`."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def plain(text: str) -> str:
    """What foreign code printed, as one line that may be shown on any screen: nothing in it is obeyed."""
    return "".join(filter(str.isprintable, re.sub(r"\s", " ", ESCAPE.sub("", text)))).strip()
