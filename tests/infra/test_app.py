"""The app runs by itself and says plainly what is wrong with its configuration."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra import configuration
from infra.configuration import InvalidPipeline
from infra.layers import LayerMismatch, require
from tests.infra.conftest import ROOT, Assembly, make_layers, run_app

STAGES = [{"name": "staging"}]


def test_synthesis_finds_nothing_that_was_not_accepted_with_a_reason(assembly: Assembly) -> None:
    report = json.loads((assembly.folder / "validation-report.json").read_text())
    assert report["pluginReports"] == []
    stacks = {file.name.removesuffix(".template.json") for file in assembly.files}
    assert stacks == {"Pipeline", "Stage-staging", "Stage-production"}


def test_synthesis_fails_on_a_finding_that_nobody_accepted(tmp_path: Path) -> None:
    script = f"""
import app
from aws_cdk import App, Stack
from aws_cdk.aws_s3 import Bucket
from infra.stacks import check

drawn = App(outdir={str(tmp_path / "out")!r})
Bucket(Stack(drawn, "Open"), "Bucket")
check(drawn)
drawn.synth()
"""
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode != 0
    assert "AwsSolutions-S1" in ran.stdout + ran.stderr


def test_a_missing_layer_is_an_error_that_names_the_command(tmp_path: Path) -> None:
    ran = run_app(tmp_path, {"layers": {"dependencies": str(tmp_path / "none"), "toolchain": "x"}})
    assert ran.returncode == 1
    assert "python -m infra.layers --python-version 3.13 --architecture arm64" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_layer_for_something_else_is_refused(tmp_path: Path) -> None:
    paths = make_layers(tmp_path, "3.12", "x86_64")
    with pytest.raises(LayerMismatch, match=r"was made for Python 3\.12 on x86_64"):
        require(Path(paths["dependencies"]), "dependencies", "3.13", "arm64")
    assert require(Path(paths["dependencies"]), "dependencies", "3.12", "x86_64")


@pytest.mark.parametrize(
    ("context", "message"),
    [
        (None, "context.tidegate must be an object"),
        ({}, "context.tidegate.stages: Field required"),
        ({"stages": []}, "context.tidegate.stages: Tuple should have at least 1 item"),
        ({"stages": STAGES, "paces": 1}, "context.tidegate.paces: Extra inputs are not permitted"),
        ({"stages": STAGES, "pace": 0}, "context.tidegate.pace: Input should be greater than 0"),
        ({"stages": STAGES * 2}, "staging is named twice"),
        ({"stages": [{"name": "a" * 20}]}, "4 too long for the stage's bucket name"),
        ({"stages": [{"name": "Prod"}]}, "context.tidegate.stages.0.name: String should match"),
        (
            {"stages": [{"name": "live", "account": "1" * 12}]},
            "live names its account, so the pipeline's own account must be named too",
        ),
        ({"stages": STAGES, "branches": ["a b"]}, "'a b' is no branch's name"),
        ({"stages": STAGES, "log_retention_days": 8}, "context.tidegate.log_retention_days"),
    ],
)
def test_mistakes_are_named_by_their_key(context: object, message: str) -> None:
    with pytest.raises(InvalidPipeline) as caught:
        configuration.read(context, {})
    assert message in str(caught.value)


def test_a_file_of_changes_replaces_keys(tmp_path: Path) -> None:
    changes = tmp_path / "changes.json"
    changes.write_text(json.dumps({"pace": 0.05, "branches": ["main", "release/1"]}))
    read = configuration.read({"stages": STAGES, "pace": 1}, {"TIDEGATE_CONFIG": str(changes)})
    assert (read.pace, read.branches, read.stages[0].name) == (0.05, ("main", "release/1"), "staging")


@pytest.mark.parametrize("text", ["[]", "{", None])
def test_an_unreadable_file_of_changes_is_an_error(tmp_path: Path, text: str | None) -> None:
    changes = tmp_path / "changes.json"
    if text is not None:
        changes.write_text(text)
    with pytest.raises(InvalidPipeline, match="TIDEGATE_CONFIG"):
        configuration.read({"stages": STAGES}, {"TIDEGATE_CONFIG": str(changes)})


def test_the_default_configuration_is_valid() -> None:
    document: dict[str, Any] = json.loads((Path(__file__).parents[2] / "cdk.json").read_text())
    read = configuration.read(document["context"]["tidegate"], {})
    assert [stage.name for stage in read.stages] == ["staging", "production"]
    assert document["app"] == ".venv/bin/python app.py"
