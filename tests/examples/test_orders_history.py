"""The example's history: the same each time, sound at each commit, and as its manifest says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tidegate.domain.config import Approval, ServiceConfig

KEYS = ("first", "good", "returns-500", "fails-later", "config-only", "needs-approval")


def test_the_same_files_give_the_same_hashes(
    make_history: Any, repository: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".gitconfig").write_text("[user]\nname = Somebody\n[core]\nautocrlf = true\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Somebody")

    again = make_history.make_history(tmp_path / "again")

    assert [commit.hash for commit in again] == [commit.hash for commit in repository.commits.values()]
    assert not (tmp_path / "elsewhere").exists()


def test_the_script_prints_a_line_per_commit(make_history: Any, repository: Any, tmp_path: Path) -> None:
    script = str(Path(make_history.__file__))
    command = [sys.executable, script, str(tmp_path / "made")]

    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()

    assert [line.split()[:2] for line in lines] == [
        [commit.hash, key] for key, commit in repository.commits.items()
    ]


def test_a_folder_with_files_is_left_alone(make_history: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(FileExistsError, match="is not empty"):
        make_history.make_history(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_commits_stand_in_the_order_of_the_manifest(repository: Any) -> None:
    assert tuple(repository.commits) == KEYS
    log = repository.git("log", "--reverse", "--format=%H %s", "main").decode().splitlines()
    assert log == [f"{made.hash} {made.step.title}" for made in repository.commits.values()]
    assert repository.git("status", "--porcelain") == b""


def test_each_release_changes_what_its_manifest_says(repository: Any) -> None:
    healthy = repository.commits["first"]
    for key in KEYS[1:]:
        commit = repository.commits[key]
        names = repository.git("diff", "--name-only", healthy.hash, commit.hash).decode().split()
        code = {logical_id(name.split("/")[1]) for name in names if name.startswith("src/")}
        if key == "config-only":
            assert names == ["template.yaml"]
        else:
            assert code == set(commit.step.functions)
            assert "template.yaml" not in names
        if commit.step.expected == "promoted":
            healthy = commit


def test_config_only_changes_one_variable_of_one_function(repository: Any) -> None:
    good, config_only = (repository.commits[key].hash for key in ("good", "config-only"))
    change = repository.git("diff", "-U0", good, config_only)
    lines = [line.strip() for line in change.decode().splitlines() if line[:2] in {"- ", "+ "}]
    assert [line[1:].split() for line in lines] == [
        ["CURRENCY_ROUNDING:", "ROUND_HALF_UP"],
        ["CURRENCY_ROUNDING:", "ROUND_HALF_EVEN"],
    ]


@pytest.mark.parametrize("key", KEYS)
def test_the_configuration_is_as_the_manifest_says(key: str, repository: Any) -> None:
    text = (repository.folder(key) / "tidegate.yaml").read_text()
    config = ServiceConfig.model_validate(yaml.safe_load(text))

    production = config.stage("production", production=True)
    assert (production.approval is Approval.REQUIRED) == repository.commits[key].step.approval
    assert (production.strategy, production.margin) == ("adaptive", 10)
    for name in [name for stage in config.smoke.values() for files in stage.values() for name in files]:
        assert (repository.folder(key) / name).is_file()
    for name in config.tests.requirements or ():
        assert (repository.folder(key) / name).is_file()


@pytest.mark.parametrize("key", KEYS)
def test_unit_tests_pass(key: str, repository: Any) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTEST_"))}
    command = [sys.executable, "-m", "pytest", "-q", "tests"]
    run = subprocess.run(
        command, cwd=repository.folder(key), env=clean, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_templates_pass_cfn_lint(repository: Any) -> None:
    templates = [str(repository.folder(key) / "template.yaml") for key in KEYS]
    run = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), *templates], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def logical_id(folder: str) -> str:
    return folder.title().replace("_", "")
