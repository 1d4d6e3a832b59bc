"""A Dockerfile's instructions, each with its line: read, not yet understood, and never run.

What is refused here is refused whatever stands in it: instructions that would need a machine to run on, and
forms of writing that Docker knows and this does not. Source: https://docs.docker.com/reference/dockerfile/.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from tidegate.domain.errors import UnsupportedTemplate

if TYPE_CHECKING:
    from collections.abc import Iterator

KNOWN: Final = frozenset({"FROM", "ARG", "ENV", "LABEL", "WORKDIR", "COPY", "RUN", "CMD", "ENTRYPOINT"})
OTHER_WAY: Final = "what needs Docker itself is built elsewhere, by CodeBuild say, and named by ImageUri"
DIRECTIVE: Final = re.compile(r"#\s*(?P<name>[A-Za-z]+)\s*=\s*(?P<value>.+?)\s*")
OWN_SYNTAX: Final = re.compile(r"(?:docker\.io/)?docker/dockerfile(?:[:@].*)?")
HEREDOC: Final = re.compile(r"<<-?[\"']?[A-Za-z_]")
MAX_DOCKERFILE: Final = 256 * 1024


class Instruction(NamedTuple):
    """One instruction: its keyword in capitals, what follows it on its lines, and the first line's number."""

    keyword: str
    text: str
    line: int


def refuse(message: str, file: str, line: int) -> UnsupportedTemplate:
    """The error for what Tidegate does not build."""
    return UnsupportedTemplate(f"{message}; {OTHER_WAY}", file=file, line=line)


def read_dockerfile(text: str, file: str) -> tuple[Instruction, ...]:
    """The instructions of a Dockerfile; UnsupportedTemplate names the first that cannot be taken, by line."""
    if len(text) > MAX_DOCKERFILE:
        raise UnsupportedTemplate(f"the Dockerfile has more than {MAX_DOCKERFILE:,} characters", file=file)
    _check_directives(text, file)
    found = tuple(_read(joined, line, file) for joined, line in _join(text, file))
    if not any(one.keyword == "FROM" for one in found):
        raise UnsupportedTemplate("the Dockerfile has no FROM", file=file)
    return found


def _check_directives(text: str, file: str) -> None:
    """Directives are comments before all else; `check`, and Docker's own `syntax`, change nothing here."""
    for number, line in enumerate(text.split("\n"), 1):
        found = DIRECTIVE.fullmatch(line.strip())
        if found is None:
            return
        name, value = found["name"].lower(), found["value"]
        if name == "escape" and value != "\\":
            raise refuse(f"the escape character {value} is not understood", file, number)
        if name == "syntax" and not OWN_SYNTAX.fullmatch(value):
            raise refuse(f"the syntax {value} is not understood", file, number)


def _join(text: str, file: str) -> Iterator[tuple[str, int]]:
    """Each instruction on one line, and the number of its first; comments and empty lines are left out.

    As Docker has it, nothing but a newline ends a line, and nothing comes between two that are joined.
    """
    parts: list[str] = []
    first = 0
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.rstrip(" \t\r")
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        first = first if parts else number
        goes_on = line.endswith("\\") and not line.endswith("\\\\")
        parts.append(line[:-1] if goes_on else line)
        if not goes_on:
            yield "".join(parts).strip(), first
            parts = []
    if parts:
        raise UnsupportedTemplate("the last instruction does not end", file=file, line=first)


def _read(joined: str, line: int, file: str) -> Instruction:
    keyword, rest = (*joined.split(maxsplit=1), "")[:2]
    name = keyword.upper()
    if name not in KNOWN:
        raise refuse(f"{name} is not built by Tidegate", file, line)
    if HEREDOC.search(rest) and name in {"RUN", "COPY"}:
        raise refuse(f"{name} with a here-document is not built by Tidegate", file, line)
    if not rest.strip():
        raise UnsupportedTemplate(f"{name} says nothing", file=file, line=line)
    return Instruction(name, rest.strip(), line)
