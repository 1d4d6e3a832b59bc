"""The list of errors that end a release, made from their docstrings: docs/reference/errors.md."""

from __future__ import annotations

from typing import Final

from tidegate.domain.errors import TidegateError

INTRODUCTION: Final = """\
# Errors

Generated from `tidegate/domain/errors.py` by `python -m docs`; a test holds it.

These names stand in the ledger, in the cause of a failed execution and in the definitions of the state
machines. The message beside a name is one line that says what to mend. An error that is not in this list is a
fault of Tidegate or of the platform.

| error | meaning |
|---|---|
"""


def write_page() -> str:
    """The whole page."""
    rows = (f"| `{error.__name__}` | {error.__doc__} |\n" for error in TidegateError.__subclasses__())
    return INTRODUCTION + "".join(rows)
