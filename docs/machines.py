"""State machines as the pictures see them: states in order, who goes where, and which fail alike.

Reads the definitions as they stand. What it does not know of the language is an error that names it, so that
no picture leaves something out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

KINDS: Final = frozenset({"Task", "Map", "Choice", "Wait", "Succeed", "Fail"})
OTHERWISE: Final = "otherwise"
# (errors, target) of each Catch, in order: states with the same lanes are drawn as one group.
Lanes = tuple[tuple[tuple[str, ...], str], ...]


@dataclass(frozen=True)
class Edge:
    """A way from one state to another; the label is a Choice's condition, else empty."""

    source: str
    target: str
    label: str = ""


@dataclass(frozen=True)
class Machine:
    """A definition: its comment, its first state, and its states by name, those of Maps apart."""

    comment: str
    start: str
    states: Mapping[str, Mapping[str, Any]]


def read_machine(file: Path) -> Machine:
    """The state machine of a file; ValueError for a kind of state that the pictures do not know."""
    return parse_machine(json.loads(file.read_text()))


def parse_machine(definition: Mapping[str, Any]) -> Machine:
    """The same of the definition itself, or of a Map's processor."""
    for name, state in definition["States"].items():
        if state["Type"] not in KINDS:
            message = f"{name}: the pictures do not know states of type {state['Type']}"
            raise ValueError(message)
    return Machine(
        comment=definition.get("Comment", ""), start=definition["StartAt"], states=definition["States"]
    )


def all_states(machine: Machine) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every state in the order of the file, the states within a Map after it."""
    for name, state in machine.states.items():
        yield name, state
        if state["Type"] == "Map":
            yield from all_states(parse_machine(state["ItemProcessor"]))


def edges(machine: Machine) -> Iterator[Edge]:
    """Every way that no error takes."""
    for name, state in machine.states.items():
        for choice in state.get("Choices", ()):
            yield Edge(name, choice["Next"], read_condition(choice["Condition"]))
        if "Default" in state:
            yield Edge(name, state["Default"], OTHERWISE)
        if "Next" in state:
            yield Edge(name, state["Next"])


def read_condition(expression: str) -> str:
    """A condition as a person reads it: `{% $states.input.status = 'opened' %}` is `status = opened`."""
    text = expression.removeprefix("{%").removesuffix("%}").strip()
    return text.replace("$states.input.", "").replace("$", "").replace("'", "")


def lanes(state: Mapping[str, Any]) -> Lanes:
    """Where a state's errors go."""
    return tuple((tuple(catch["ErrorEquals"]), catch["Next"]) for catch in state.get("Catch", ()))


def group(machine: Machine) -> dict[str, Lanes]:
    """Each state's lanes; one that cannot fail stands with the state that leads to it, but for the ends.

    States come in the order in which they are reached, so a Choice or Wait finds its predecessor's lanes.
    """
    found: dict[str, Lanes] = {}
    before = {edge.target: edge.source for edge in reversed(list(edges(machine)))}
    for name, state in machine.states.items():
        if state["Type"] in {"Succeed", "Fail"}:
            found[name] = ()
        else:
            found[name] = lanes(state) or found.get(before.get(name, ""), ())
    return found
