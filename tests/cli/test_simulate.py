from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from tidegate.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

FEW = ("--runs", "5", "--policy", "flagger", "--policy", "Canary10Percent5Minutes alarm 5%")


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["simulate", *arguments])


def told(*arguments: str) -> Any:
    done = call(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_every_policy_is_replayed_against_every_fault_and_a_healthy_version() -> None:
    found = told(*FEW, "--fault", "outage", "--rate", "50", "--baseline", "0.2%", "--seed", "7")
    names = ["flagger", "Canary10Percent5Minutes alarm 5%"]
    assert [(one["fault"], one["policy"]) for one in found["results"]] == [
        (fault, name) for fault in ("healthy", "outage") for name in names
    ]
    assert all(one["runs"] == 5 for one in found["results"])
    assert found["thresholds"] == {names[1]: 0.05}
    assert found["scenario"]["traffic"]["rate"] == 50
    assert found["scenario"]["traffic"]["baseline"] == pytest.approx(0.002)
    outage = found["results"][2]
    assert outage["rolled_back"] == 5
    assert outage["to_rollback"] == 300
    assert outage["failed"] == pytest.approx(50 * 0.1 * 300, rel=0.1)


def test_the_same_seed_gives_the_same_figures_and_another_one_others() -> None:
    arguments = ("--runs", "3", "--policy", "adaptive", "--fault", "+10%")
    assert told(*arguments, "--seed", "4") == told(*arguments, "--seed", "4")
    assert told(*arguments, "--seed", "4")["results"] != told(*arguments, "--seed", "5")["results"]


def test_people_get_a_table() -> None:
    done = call(*FEW, "--fault", "outage")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == (
        "100 requests a second, of which 0.1 % fail anyhow; 5 replays each, seed 1; "
        "failures are counted over 1 h 0 min"
    )
    assert lines[1] == "Canary10Percent5Minutes alarm 5%: its alarm fires above 5 %"
    assert all("  0 to 43.4 %  " in line for line in lines[3:])
    assert [line.split()[:2] for line in lines[3:]] == [
        ["healthy", "flagger"],
        ["healthy", "Canary10Percent5Minutes"],
        ["outage", "flagger"],
        ["outage", "Canary10Percent5Minutes"],
    ]


SCENARIO = """\
traffic:
  rate: 20
  bursts: {every: 5m, lasts: 30s, errors: 20%}
faults: [+10%, latency x3]
policies:
  - strategy: adaptive
    name: cautious
    stage: {margin: 2}
  - AllAtOnce
runs: 2
"""


def test_a_file_says_all_and_options_overrule_it(tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(SCENARIO)
    found = told(str(file), "--rate", "30")
    assert found["scenario"]["traffic"]["rate"] == 30
    assert found["scenario"]["traffic"]["bursts"]["errors"] == 0.2
    assert {one["policy"] for one in found["results"]} == {"cautious", "AllAtOnce"}
    assert [one["fault"] for one in found["results"]][::2] == ["healthy", "+10 %", "latency x3"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("traffic:\n  base: 1%\n", "scenario.yaml:2: traffic.base is unknown; did you mean baseline?"),
        ("runs: 0\n", "scenario.yaml:1: runs: must be 1 or more (it is 0)"),
        ("\nfaults:\n  - +2%\n  - rain\n", "scenario.yaml:4: faults.1: 'rain' is no fault; write +2%"),
        ("policies:\n  - Canary\n", "scenario.yaml:2: policies.0: 'Canary' is no strategy; write adaptive"),
        (
            "policies:\n  - strategy: flagger\n    intervall: 5s\n",
            "scenario.yaml:3: policies.0.flagger.intervall is unknown; did you mean interval?",
        ),
        (
            "policies:\n  - strategy: Canary10Percent5Minutes\n    interval: 5s\n",
            "scenario.yaml:3: policies.0.codedeploy.interval is unknown; known are alarm, name, strategy",
        ),
        ("policies: [\n", "scenario.yaml:2: not valid YAML"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(text)
    done = call(str(file))
    assert done.exit_code == 1
    assert done.stderr.startswith("error: ")
    assert said in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--fault", "rain"), "'rain' is no fault"),
        (("--policy", "Canary"), "LinearXPercentEveryYMinutes, or flagger"),
        (("--baseline", "few"), "'few' is no share"),
        (("--baseline", "200%"), "a share lies between 0 % and 100 %, not at 200 % (it is '200%')"),
        (("--fault", "+200%"), "a share lies between 0 % and 100 %, not at 200 %"),
        (("--rate", "0"), "--rate"),
        (("--policy", "flagger", "--policy", "flagger"), "flagger stands twice"),
        (("no-such-file.yaml",), "does not exist"),
    ],
)
def test_wrong_options_are_wrong_usage(arguments: tuple[str, ...], said: str) -> None:
    done = call(*arguments)
    assert done.exit_code == 2
    assert said in done.stderr


def test_charts_are_one_page_that_needs_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "deep" / "report.html"
    done = call(*FEW, "--fault", "+20%", "--plot", str(page))
    assert done.exit_code == 0, done.output
    text = page.read_text()
    assert text.count("<section>") == 2
    assert text.count('class="bar"') == 2
    # A panel of weights for each policy and version, five runs each; failures only where requests failed.
    assert text.count('class="sample"') == 4 * 5
    assert text.count('class="sample harm"') == 2 * 5
    assert "A bad version: +20 %" in text
    assert "<script" not in text
    assert "nan" not in text.lower().replace("canary", "")


def test_place_of_the_charts_is_tried_before_anything_is_replayed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    done = call("--runs", "1000000", "--plot", str(tmp_path / "file" / "page.html"))
    assert (done.exit_code, done.stdout) == (1, "")
    assert "page.html cannot be written: " in done.stderr


def test_names_from_a_file_are_escaped(tmp_path: Path) -> None:
    file, page = tmp_path / "scenario.yaml", tmp_path / "page.html"
    file.write_text('policies: [{strategy: AllAtOnce, name: "<b>&"}]\nruns: 1\nfaults: [outage]\n')
    assert call(str(file), "--plot", str(page)).exit_code == 0
    assert "<b>" not in page.read_text()
    assert "&lt;b&gt;&amp;" in page.read_text()
