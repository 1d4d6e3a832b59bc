"""Which component of an artifact requires which other of it, by what they say themselves.

Python's requirements count where their marker holds for the target, and those of an extra where another
component asks for the extra; what the service itself asked for is not known here. Node's are found as Node
finds them: in the nearest node_modules on the way up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tidegate.adapters.wheel_choice import find_requirements, is_wanted
from tidegate.domain.locks import normalize

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from packaging.requirements import Requirement

    from tidegate.domain.bills import Component
    from tidegate.domain.distributions import Distribution
    from tidegate.domain.locks import Target

MODULES = "node_modules/"


def connect(
    components: Iterable[Component], found: Mapping[str, Distribution], target: Target | None, base: str
) -> list[Component]:
    """The components with what they require of one another; `found` are distributions by folder."""
    listed = list(components)
    python = {(_parent(one), one.name): one.ref for one in reversed(listed) if one.kind == "pypi"}
    node = {one.folder: one.ref for one in listed if one.kind == "npm"}
    needs = {
        folder: find_requirements(one.requires, target) for folder, one in found.items() if one.kind == "pypi"
    }
    names = {folder: one.name for folder, one in found.items()}
    extras = find_extras({names[folder]: read for folder, (read, _) in needs.items()}, target)
    connected = []
    for one in listed:
        read, unread = needs.get(one.folder, ([], []))
        wanted = (need for need in read if is_wanted(need, extras.get(one.name, ()), target))
        refs = {ref for need in wanted for ref in _find_python(python, one, need, base)}
        if one.kind == "npm":
            refs = {ref for name in found[one.folder].requires for ref in _find_node(node, one.folder, name)}
        requires = tuple(sorted(refs - {one.ref}))
        connected.append(one.model_copy(update={"requires": requires, "unread": tuple(unread)}))
    return connected


def find_extras(needs: Mapping[str, list[Requirement]], target: Target | None) -> dict[str, set[str]]:
    """The extras of each distribution that others ask for, also by way of their own extras."""
    asked: dict[str, set[str]] = {}
    grown = True
    while grown:
        grown = False
        for name, requirements in needs.items():
            for one in requirements:
                known = asked.setdefault(normalize(one.name), set())
                if one.extras - known and is_wanted(one, asked.get(name, ()), target):
                    known |= one.extras
                    grown = True
    return asked


def _parent(component: Component) -> str:
    return component.folder.rpartition("/")[0]


def _find_python(
    known: Mapping[tuple[str, str], str], of: Component, need: Requirement, base: str
) -> Iterator[str]:
    """Beside the component itself, else among the wheels."""
    name = normalize(need.name)
    for place in (_parent(of), base, ""):
        if (place, name) in known:
            yield known[place, name]
            return


def _find_node(known: Mapping[str, str], folder: str, name: str) -> Iterator[str]:
    place = f"{folder}/"
    while True:
        if (found := f"{place}{MODULES}{name}") in known:
            yield known[found]
            return
        if not place:
            return
        place = place[:-1].rpartition("/")[0]
        place = f"{place}/" if place else ""
