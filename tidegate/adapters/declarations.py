"""Compares what tidegate.yaml says with what there is: the pipeline's stages, the functions, the event files.

A name that fits nothing is refused: what stands under it would be left out in silence, an approval or a
gentle strategy among it.
"""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING

from tidegate.adapters.configuration import find_key
from tidegate.domain.errors import InvalidConfiguration
from tidegate.domain.sources import CONFIG_FILE, is_within
from tidegate.domain.wording import list_names

if TYPE_CHECKING:
    from collections.abc import Collection

    from tidegate.adapters.checkouts import Checkout
    from tidegate.domain.config import ServiceConfig


def check_stages(checkout: Checkout, config: ServiceConfig, known: Collection[str]) -> None:
    """Refuse settings and smoke events of stages that are not `known`."""
    for section, names in (("stages", config.stages), ("smoke", config.smoke)):
        for name in names:
            if name not in known:
                _refuse(checkout, (section, name), f"the pipeline has no such stage; {_suggest(name, known)}")


def check_waves(checkout: Checkout, config: ServiceConfig, functions: Collection[str]) -> None:
    """Refuse waves of functions that there are not."""
    for name in (name for wave in config.waves for name in wave):
        if name not in functions:
            _refuse(checkout, ("waves",), f"the template has no function {name}; {_suggest(name, functions)}")


def check_advisories(checkout: Checkout, config: ServiceConfig) -> None:
    """Refuse a folder of advisories that there is not: nothing would be looked up in it."""
    place = config.audit.advisories
    if place is not None and not any(is_within(path, place) for path in checkout.files):
        _refuse(checkout, ("audit", "advisories"), f"{place} does not exist, or is empty")


def check_smoke(checkout: Checkout, config: ServiceConfig, functions: Collection[str]) -> None:
    """Refuse smoke events of functions that there are not, and files that are missing or no JSON."""
    for stage, events in config.smoke.items():
        for function, paths in events.items():
            place = ("smoke", stage, function)
            if function not in functions:
                _refuse(
                    checkout, place, f"the template has no such function; {_suggest(function, functions)}"
                )
            for path in paths:
                if problem := _find_problem(checkout, path):
                    _refuse(checkout, place, f"{path} {problem}")


def _find_problem(checkout: Checkout, path: str) -> str | None:
    if path not in checkout.files:
        return "does not exist"
    try:
        json.loads(checkout.read(path))
    except (ValueError, RecursionError) as error:
        return f"is no JSON: {error}"
    return None


def _suggest(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"known are {list_names(tuple(known)) or 'none'}"


def _refuse(checkout: Checkout, place: tuple[str, ...], problem: str) -> None:
    line = find_key(checkout.read_text(CONFIG_FILE), CONFIG_FILE, place)
    raise InvalidConfiguration(f"{'.'.join(place)}: {problem}", file=CONFIG_FILE, line=line)
