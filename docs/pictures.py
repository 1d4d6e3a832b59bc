"""Pictures of the state machines, in Mermaid, made from the definitions: docs/reference/statemachines.md.

A picture shows every state with its comment and every way through the machine. States whose errors go the
same way are framed together, and the frame has one dashed arrow for each of these ways: an arrow from every
state would hide the rest.
"""

from __future__ import annotations

import html
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from docs.machines import Lanes, Machine, all_states, edges, group, parse_machine, read_machine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MACHINES: Final = Path(__file__).resolve().parent.parent / "statemachines"
WIDTH: Final = 30
FEW: Final = 2  # a Retry of more errors than this is the one for faults of the platform
SHAPES: Final = {
    "Task": ("[", "]"),
    "Map": ("[", "]"),
    "Choice": ("{{", "}}"),
    "Wait": ("([", "])"),
    "Succeed": ("([", "])"),
    "Fail": ("([", "])"),
}
STYLES: Final = (
    "classDef task fill:#e8f1fb,stroke:#3b6ea5,color:#10243a",
    "classDef map fill:#e8f1fb,stroke:#3b6ea5,color:#10243a,stroke-width:3px",
    "classDef choice fill:#fff7e0,stroke:#b58900,color:#3d2f00",
    "classDef wait fill:#f3f0fa,stroke:#7a65b0,color:#2a1f4a",
    "classDef succeed fill:#e3f6e6,stroke:#2e7d32,color:#0f3312",
    "classDef fail fill:#fdeaea,stroke:#c62828,color:#4a0f0f",
)
FRAME: Final = "fill:#fafafa,stroke:#bbbbbb,stroke-dasharray:4 4"
INTRODUCTION: Final = """\
# The state machines

Generated from `statemachines/*.asl.json` by `python -m docs`; a test holds it.

Blue is a task, one function under `functions/` of the same name; yellow a choice; violet a wait; green and
red are ends. Dashed arrows are the ways of errors: each leads from a frame, and any task within the frame
may take it. What is retried, how often and after how long stands in the tables.
"""


def write_page() -> str:
    """The whole page."""
    files = sorted(MACHINES.glob("*.asl.json"))
    return "\n".join([INTRODUCTION, *(_write_machine(file) for file in files)])


def _write_machine(file: Path) -> str:
    machine = read_machine(file)
    return "\n".join(
        [
            f"## {file.name.removesuffix('.asl.json')}",
            "",
            machine.comment,
            "",
            "```mermaid",
            *draw(machine),
            "```",
            "",
            *tabulate(machine),
            "",
        ]
    )


def draw(machine: Machine) -> Iterator[str]:
    """The lines of the flowchart."""
    yield "flowchart TD"
    yield f"  start(( )) --> {machine.start}"
    frames = _frames(machine)
    for index, (lanes, names) in enumerate(frames.items()):
        yield from _draw_frame(machine, index, names) if lanes else _draw_states(machine, names, "  ")
    for edge in edges(machine):
        label = f'|"{quote(edge.label)}"|' if edge.label else ""
        yield f"  {edge.source} -->{label} {edge.target}"
    for index, lanes in enumerate(frames):
        yield from _draw_lanes(index, lanes)
    yield from (f"  {style}" for style in STYLES)


def _frames(machine: Machine) -> dict[Lanes, list[str]]:
    frames: dict[Lanes, list[str]] = {}
    for name, lanes in group(machine).items():
        frames.setdefault(lanes, []).append(name)
    return frames


def _draw_frame(machine: Machine, index: int, names: list[str]) -> Iterator[str]:
    yield f'  subgraph frame{index}[" "]'
    yield from _draw_states(machine, names, "    ")
    yield "  end"
    yield f"  style frame{index} {FRAME}"


def _draw_states(machine: Machine, names: list[str], indent: str) -> Iterator[str]:
    for name in names:
        state = machine.states[name]
        yield f"{indent}{_draw_state(name, state)}"
        if state["Type"] == "Map":
            inner = parse_machine(state["ItemProcessor"])
            yield from (f"{indent}{_draw_state(*item)}" for item in inner.states.items())
            yield f'{indent}{name} -.-|"each"| {inner.start}'


def _draw_state(name: str, state: Mapping[str, Any]) -> str:
    left, right = SHAPES[state["Type"]]
    lines = map(quote, textwrap.wrap(state.get("Comment", ""), WIDTH))
    text = "<br/>".join([f"<b>{name}</b>", *lines])
    return f'{name}{left}"{text}"{right}:::{state["Type"].lower()}'


def quote(text: str) -> str:
    """Text as it may stand within quotes in Mermaid, which would read an apostrophe's entity as its own."""
    return html.escape(text, quote=False).replace('"', "&quot;")


def _draw_lanes(index: int, lanes: Lanes) -> Iterator[str]:
    for errors, target in lanes:
        others = "any other error" if len(lanes) > 1 else "any error"
        label = ", ".join(others if error == "States.ALL" else error for error in errors)
        yield f'  frame{index} -.->|"{label}"| {target}'


def tabulate(machine: Machine) -> Iterator[str]:
    """The table of the states that do something, and the errors that count as the platform's."""
    yield "| state | time limit | retries |"
    yield "|---|---|---|"
    platform: set[str] = set()
    for name, state in all_states(machine):
        if state["Type"] == "Task":
            yield f"| {name} | {_limit(state['TimeoutSeconds'])} | {_retries(state, platform)} |"
    yield ""
    yield f"Faults of the platform: {', '.join(f'`{error}`' for error in sorted(platform))}."


def _limit(value: int | str) -> str:
    if isinstance(value, str):
        return "as configured"
    return f"{value // 60} min" if value % 60 == 0 else f"{value} s"


def _name_errors(errors: Sequence[str]) -> str:
    if len(errors) <= FEW:
        return ", ".join(f"`{error}`" for error in errors)
    calls = "ClientError" in errors and "Runtime.ExitError" not in errors
    return "calls that AWS refuses or leaves open" if calls else "faults of the platform"


def _retries(state: Mapping[str, Any], platform: set[str]) -> str:
    parts = []
    for retry in state.get("Retry", ()):
        errors = retry["ErrorEquals"]
        if len(errors) > FEW:
            platform.update(errors)
        parts.append(
            f"{_name_errors(errors)}: up to {retry['MaxAttempts']}, after {retry['IntervalSeconds']} s "
            f"to {retry['MaxDelaySeconds']} s"
        )
    return "; ".join(parts)
