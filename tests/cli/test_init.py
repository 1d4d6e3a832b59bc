from __future__ import annotations

import re
from typing import TYPE_CHECKING

from click.testing import CliRunner, Result

from tidegate.adapters.configuration import read_config
from tidegate.cli.init import write_config
from tidegate.cli.main import main
from tidegate.domain.config import ServiceConfig, StageConfig, TestsConfig

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel

    from tests.conftest import Repository


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def uncomment(text: str) -> str:
    """The file with all of its keys in use; prose has one space after its #."""
    return re.sub(r"^#(?! \S)", "", text, flags=re.MULTILINE)


def test_file_changes_nothing_but_service_and_template() -> None:
    text = write_config("orders", "deploy/template.yaml")
    assert read_config(text) == ServiceConfig(service="orders", template="deploy/template.yaml")


def test_every_key_stands_in_it_with_its_default() -> None:
    text = uncomment(write_config("orders", "template.yaml"))
    config = read_config(text)
    assert config.tests == TestsConfig()
    assert config.stages == {"production": StageConfig().for_stage(production=True)}
    assert config.failure_mark == ServiceConfig().failure_mark
    assert list(config.smoke) == ["production"]
    models: tuple[type[BaseModel], ...] = (ServiceConfig, TestsConfig, StageConfig)
    for model in models:
        for name in model.model_fields:
            assert re.search(rf"^ *{name}:", text, re.MULTILINE), name


def test_name_and_template_are_found(repository: Repository) -> None:
    repository.commit({"sam.yaml": "Resources: {}"})
    repository.git("remote", "add", "origin", "https://example.com/team/My.Orders.git")
    done = call("init", str(repository.folder))
    assert done.exit_code == 0, done.output
    text = (repository.folder / "tidegate.yaml").read_text()
    assert "\nservice: my-orders\n" in text
    assert "\ntemplate: sam.yaml\n" in text


def test_file_that_is_there_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "tidegate.yaml"
    file.write_text("service: orders\n")
    done = call("init", str(tmp_path))
    assert (done.exit_code, done.stderr) == (1, f"error: {file} is there already; --force replaces it\n")
    assert file.read_text() == "service: orders\n"
    assert call("init", str(tmp_path), "--force").exit_code == 0
    assert file.read_text().startswith("# How Tidegate releases this service.")


def test_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "tidegate.yaml").mkdir()
    done = call("init", str(tmp_path), "--force")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: [Errno 21] Is a directory")


def test_folder_that_names_no_service_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "42"
    folder.mkdir()
    done = call("init", str(folder))
    assert done.stderr == (
        "error: no service can be named after '42'; name it in tidegate.yaml (`service:`), in lower case\n"
    )
