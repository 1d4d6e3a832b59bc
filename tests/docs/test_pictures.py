from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from docs import machines, pictures
from docs.pages import PAGES

if TYPE_CHECKING:
    from pathlib import Path

FILES = sorted(pictures.MACHINES.glob("*.asl.json"))
RETRY = {"ErrorEquals": ["A"], "MaxAttempts": 2, "IntervalSeconds": 1, "MaxDelaySeconds": 9}


def definition(**states: dict[str, Any]) -> machines.Machine:
    return machines.parse_machine({"StartAt": next(iter(states)), "States": states})


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_generated_pages_are_as_they_would_be_written_now(file: Path) -> None:
    assert file.read_text() == PAGES[file](), "write them anew with `python -m docs`"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_state_is_drawn_once_with_its_comment(file: Path) -> None:
    machine = machines.read_machine(file)
    drawn = "\n".join(pictures.draw(machine))
    names = [name for name, _ in machines.all_states(machine)]
    assert sorted(re.findall(r"<b>(\w+)</b>", drawn)) == sorted(names)
    for _, state in machines.all_states(machine):
        assert all(word in drawn for word in state["Comment"].split() if word.isalpha())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_way_between_states_is_drawn(file: Path) -> None:
    raw = json.loads(file.read_text())["States"]
    drawn = "\n".join(pictures.draw(machines.read_machine(file)))
    for name, state in raw.items():
        targets = [state.get("Next"), state.get("Default"), *(c["Next"] for c in state.get("Choices", ()))]
        for target in filter(None, targets):
            assert re.search(rf"^  {name} -->.* {target}$", drawn, re.MULTILINE), (name, target)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_catch_leads_from_the_frame_of_its_state(file: Path) -> None:
    machine = machines.read_machine(file)
    frames = dict(
        re.findall(r"subgraph (frame\d+)\[.*?\]\n(.*?)\n  end", "\n".join(pictures.draw(machine)), re.DOTALL)
    )
    arrows = set(re.findall(r"(frame\d+) -\.->\|\"([^\"]+)\"\| (\w+)", "\n".join(pictures.draw(machine))))
    for name, state in machine.states.items():
        catches = machines.lanes(state)
        if not catches:
            continue
        frame = next(key for key, body in frames.items() if f"<b>{name}</b>" in body)
        others = "any other error" if len(catches) > 1 else "any error"
        expected = {
            (frame, ", ".join(others if error == "States.ALL" else error for error in errors), target)
            for errors, target in catches
        }
        assert expected == {arrow for arrow in arrows if arrow[0] == frame}


def test_a_kind_of_state_that_no_picture_knows_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"Both.*Parallel"):
        definition(Both={"Type": "Parallel"})


def test_a_choice_stands_in_the_frame_of_what_leads_to_it() -> None:
    machine = definition(
        Work={"Type": "Task", "Next": "Is", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Bad"}]},
        Is={"Type": "Choice", "Choices": [], "Default": "Good"},
        Good={"Type": "Succeed"},
        Bad={"Type": "Fail"},
    )
    found = machines.group(machine)
    assert found["Is"] == found["Work"] == ((("States.ALL",), "Bad"),)
    assert found["Good"] == found["Bad"] == ()


def test_labels_cannot_break_the_picture() -> None:
    condition = '{% $states.input.a < $count($b) and $states.input.c = "d" %}'
    machine = definition(
        Is={
            "Type": "Choice",
            "Choices": [{"Condition": condition, "Next": "End"}],
            "Comment": 'Says "x" & <y>',
        },
        End={"Type": "Succeed"},
    )
    drawn = list(pictures.draw(machine))
    labels = [part for line in drawn for part in re.findall(r'\["?|\|"(.*?)"\|', line) if part]
    assert labels == ["a &lt; count(b) and c = &quot;d&quot;"]
    assert any("Says &quot;x&quot; &amp; &lt;y&gt;" in line for line in drawn)


def test_retries_of_few_errors_are_named_and_others_are_the_platform() -> None:
    many = {**RETRY, "ErrorEquals": ["B", "C", "D"]}
    machine = definition(
        Work={"Type": "Task", "TimeoutSeconds": 90, "Retry": [RETRY, many], "End": True},
        Wait={"Type": "Task", "TimeoutSeconds": "{% $t %}", "End": True},
    )
    table = list(pictures.tabulate(machine))
    assert table[2] == (
        "| Work | 90 s | `A`: up to 2, after 1 s to 9 s; faults of the platform: up to 2, after 1 s to 9 s |"
    )
    assert table[3] == "| Wait | as configured |  |"
    assert table[-1] == "Faults of the platform: `B`, `C`, `D`."
