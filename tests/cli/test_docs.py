from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

import tidegate
from tidegate.cli.main import VERBS, main
from tidegate.cli.outcomes import Exit
from tidegate.cli.targets import OPTIONS
from tidegate.domain.simulation.scenarios import Scenario

TEXT = (Path(tidegate.__file__).parents[1] / "docs" / "reference" / "cli.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
SHARED = {name for add in OPTIONS for name in add(lambda: None).__click_params__[0].opts}  # type: ignore[attr-defined]


def documented(section: str) -> set[str]:
    """The options in the first column of a section's table."""
    return set(re.findall(r"^\| `(--[a-z-]+)", section, re.MULTILINE))


def commands() -> list[tuple[str, click.Command]]:
    """Every verb, and those under a verb that is itself a group."""
    found = []
    for name in VERBS:
        command = main.get_command(click.Context(main), name)
        assert command is not None
        inner = command.commands.items() if isinstance(command, click.Group) else ()
        found += [(name, command), *((f"{name} {sub}", verb) for sub, verb in inner)]
    return found


@pytest.mark.parametrize(
    ("name", "command"), commands(), ids=lambda part: part if isinstance(part, str) else ""
)
def test_every_verb_and_option_is_documented(name: str, command: click.Command) -> None:
    section = SECTIONS[name]
    options = {opt for param in command.params if isinstance(param, click.Option) for opt in param.opts}
    assert f"tidegate {name}" in section
    assert documented(section) == options - SHARED


@pytest.mark.parametrize(
    ("name", "command"), commands(), ids=lambda part: part if isinstance(part, str) else ""
)
def test_defaults_are_those_of_the_options(name: str, command: click.Command) -> None:
    for option in (param for param in command.params if isinstance(param, click.Option)):
        rows = [row for row in SECTIONS[name].splitlines() if row.startswith(f"| `{option.opts[0]}")]
        stated = re.findall(r"(\d+) by default|by default `?(\d+)", " ".join(rows))
        if stated or (isinstance(option.default, (int, float)) and option.default):
            assert ["".join(found) for found in stated] == [f"{_default(name, option):g}"], rows


def _default(name: str, option: click.Option) -> float:
    """The option's own default; `simulate` has its own in the scenario, where options overrule it."""
    scenario = {"rate": Scenario().traffic.rate, "runs": Scenario().runs} if name == "simulate" else {}
    return scenario.get(str(option.name), option.default)  # type: ignore[arg-type,return-value]


def test_options_that_verbs_share_are_documented_with_their_verbs() -> None:
    section = SECTIONS["Where the pipeline is"]
    assert documented(section) == SHARED
    sharing = {name for name, verb in commands() if {p.name for p in verb.params} >= {"local", "profile"}}
    assert sharing == set(re.findall(r"`([a-z]+)`", section.split(")", 1)[0]))


def test_every_documented_verb_exists() -> None:
    assert set(SECTIONS) == {"Where the pipeline is", *(name for name, _ in commands())}


def test_every_exit_code_is_documented() -> None:
    assert {int(code) for code in re.findall(r"^\| (\d) \|", TEXT, re.MULTILINE)} == set(Exit)


def test_help_line_of_each_verb_is_its_own() -> None:
    assert all(verb.summary.endswith(".") and len(verb.summary) < 70 for verb in VERBS.values())
