from __future__ import annotations

import pytest

from tidegate.adapters.samconfig import read_samconfig
from tidegate.domain.errors import InvalidConfiguration

TOML = """
version = 0.1
[default.global.parameters]
stack_name = "orders"
[default.deploy.parameters]
parameter_overrides = "Stage=\\"dev one\\" Size=2"
"""
YAML = """
version: 0.1
default:
  global: {parameters: {stack_name: orders}}
  deploy:
    parameters:
      parameter_overrides: ['Stage="dev one"', Size=2]
"""


@pytest.mark.parametrize(("text", "file"), [(TOML, "samconfig.toml"), (YAML, "samconfig.yaml")])
def test_both_formats_say_the_same(text: str, file: str) -> None:
    deployment = read_samconfig(text, file)["default"]
    assert deployment.stack_name == "orders"
    assert deployment.parameters == {"Stage": "dev one", "Size": "2"}


@pytest.mark.parametrize(
    ("text", "file", "message"),
    [
        ("a = 1\nb = \n", "samconfig.toml", "samconfig.toml:2: not valid TOML"),
        ("a: [", "samconfig.yaml", "samconfig.yaml:1: not valid YAML"),
        ("- a", "samconfig.yaml", "samconfig.yaml:1: the file holds no environments"),
        ("x" * 300_000, "samconfig.toml", "larger than"),
        ("a = " + "[" * 100_000, "samconfig.toml", "not valid TOML"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(text: str, file: str, message: str) -> None:
    with pytest.raises(InvalidConfiguration, match=message):
        read_samconfig(text, file)
