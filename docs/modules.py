"""The list of the local cloud's modules, from their docstrings: docs/reference/local-cloud-modules.md."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCAL: Final = Path(__file__).resolve().parent.parent / "tidegate" / "local"
INTRODUCTION: Final = """\
# The modules of the local cloud

Generated from the docstrings under `tidegate/local` by `python -m docs`; a test holds it. What the local
cloud is for and what it is not stands in [the guide](../guide/local-cloud.md).
"""


def write_page() -> str:
    """The whole page."""
    folders = [LOCAL, *sorted(path for path in LOCAL.iterdir() if (path / "__init__.py").exists())]
    return "\n".join([INTRODUCTION, *(line for folder in folders for line in _write_folder(folder))])


def _write_folder(folder: Path) -> Iterator[str]:
    yield f"## `{folder.relative_to(LOCAL.parent.parent)}`"
    yield ""
    yield say(folder / "__init__.py")
    yield ""
    yield "| module | what it is |"
    yield "|---|---|"
    for file in sorted(folder.glob("*.py")):
        if file.name != "__init__.py":
            yield f"| `{file.name}` | {say(file)} |"
    yield ""


def say(file: Path) -> str:
    """A module's first sentences: the first paragraph of its docstring; LookupError where it has none."""
    text = ast.get_docstring(ast.parse(file.read_text()))
    if not text:
        message = f"{file} has no docstring"
        raise LookupError(message)
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")
