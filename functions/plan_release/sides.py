"""The stage's stacks as they are and as they will be: what is known of the values of all their templates.

A child is given its parameters by its parent, and the parent reads the child's outputs; each is read where it
is asked for, in the order of the template's own references.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tidegate.domain.nesting import qualify, split
from tidegate.domain.templates.literals import UNKNOWN
from tidegate.domain.templates.template import properties_of
from tidegate.domain.templates.tree import write_parameter
from tidegate.domain.templates.values import Values, name_surroundings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.plan_release.parts import Part
    from functions.plan_release.stages import StageChange


class TreeValues:
    """Both sides of an update of a stage's stacks.

    moved: the names of the resources that the update replaces.
    """

    def __init__(self, change: StageChange, moved: frozenset[str] = frozenset()) -> None:
        self._change = change
        self._moved: dict[str, set[str]] = {}
        for name in moved:
            path, logical_id = split(name)
            self._moved.setdefault(path, set()).add(logical_id)
        self._given: dict[str, dict[str, str]] = {}
        self._after: dict[str, Values] = {}

    def before(self, path: str) -> Values | None:
        """What is known of a stack as it is; None where it does not stand."""
        part = self._change.parts[path]
        if part.deployed is None or part.state is None:
            return None
        around = self._surround(part)
        outputs = partial(self._read_output, path)
        return Values(part.deployed, part.state.parameters, part.standing, around, path=path, outputs=outputs)

    def after(self, path: str) -> Values:
        """What is known of a stack as it will be."""
        if path not in self._after:
            part, fresh = self._change.parts[path], self._moved.get(path, set()) | self.changed(path)
            self._after[path] = Values(
                part.normalized.template,
                self.given(path),
                part.standing,
                self._surround(part),
                frozenset(fresh),
                path,
                partial(self._foresee_output, path),
            )
        return self._after[path]

    def given(self, path: str) -> dict[str, str]:
        """The parameters of a stack as they will be; UNKNOWN for what is not known."""
        if path not in self._given:
            self._given[path] = dict.fromkeys(self._declared(path), UNKNOWN)  # where a circle asks for it
            self._given[path] = self._pass(path) if path else self._give()
        return self._given[path]

    def changed(self, path: str) -> frozenset[str]:
        """The parameters of a stack that the update gives another value, or one that is not known."""
        state = self._change.parts[path].state
        old = state.parameters if state else {}
        own = path != ""  # the root's unknown ones keep their values
        return frozenset(
            name
            for name, value in self.given(path).items()
            if value != old.get(name) or (own and value == UNKNOWN)
        )

    def _declared(self, path: str) -> Mapping[str, Any]:
        declared: Mapping[str, Any] = self._change.parts[path].normalized.template.get("Parameters") or {}
        return declared

    def _give(self) -> dict[str, str]:
        """The root's: what is given, what the stack keeps, and defaults."""
        state, given = self._change.parts[""].state, self._change.parameters
        before = state.parameters if state else {}
        values = {
            name: given.get(name, str(item.get("Default", ""))) for name, item in self._declared("").items()
        }
        return {
            name: before.get(name, UNKNOWN) if value == UNKNOWN else value for name, value in values.items()
        }

    def _pass(self, path: str) -> dict[str, str]:
        """A child's: what its parent passes, and defaults."""
        above, logical_id = split(path)
        parent = self.after(above)
        resource = self._change.parts[above].normalized.template["Resources"][logical_id]
        passed = parent.resolve(properties_of(resource).get("Parameters") or {})
        if not isinstance(passed, dict):
            return dict.fromkeys(self._declared(path), UNKNOWN)
        defaults = {
            name: write_parameter(item["Default"]) if "Default" in item else UNKNOWN
            for name, item in self._declared(path).items()
        }
        known = {
            name: write_parameter(value) if parent.is_known(value) else UNKNOWN
            for name, value in passed.items()
        }
        return {name: known.get(name, value) for name, value in defaults.items()}

    def _read_output(self, path: str, logical_id: str, name: str) -> str | None:
        """A child's output as it is."""
        child = self._change.parts.get(qualify(path, logical_id))
        return child.state.outputs.get(name) if child and child.state else None

    def _foresee_output(self, path: str, logical_id: str, name: str) -> Any:  # noqa: ANN401
        """A child's output as it will be."""
        inner = qualify(path, logical_id)
        if inner not in self._change.parts:
            return None
        outputs = self._change.parts[inner].normalized.template.get("Outputs") or {}
        return self.after(inner).resolve((outputs.get(name) or {}).get("Value"))

    def _surround(self, part: Part) -> dict[str, str]:
        target = self._change.target
        name = part.state.name if part.state else self._change.wanted.stack_name
        return name_surroundings(target.account, target.region, name)


def know_values(change: StageChange, moved: frozenset[str] = frozenset()) -> TreeValues | None:
    """None where there is no stack yet. moved: the resources that the update replaces."""
    return TreeValues(change, moved) if change.parts[""].deployed is not None else None
