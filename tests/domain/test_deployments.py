from __future__ import annotations

import pytest

from tidegate.domain.deployments import read_deployments
from tidegate.domain.errors import InvalidConfiguration


def read(**parameters: object) -> object:
    data = {"version": 0.1, "default": {"deploy": {"parameters": parameters}}}
    return read_deployments(data, "samconfig.toml")["default"]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ('A=1 B="two words" C=a=b', {"A": "1", "B": "two words", "C": "a=b"}),
        ("ParameterKey=A,ParameterValue=1 ParameterKey=B,ParameterValue='x y'", {"A": "1", "B": "x y"}),
        (["A=1", 'B="two words"'], {"A": "1", "B": "two words"}),
        ({"A": 1, "B": True, "C": ["x", "y"]}, {"A": "1", "B": "true", "C": "x,y"}),
        ("A=", {"A": ""}),
        ("A=a#b", {"A": "a#b"}),
        ("", {}),
        (None, {}),
    ],
)
def test_parameter_overrides_in_all_their_spellings(overrides: object, expected: dict) -> None:
    assert read(parameter_overrides=overrides).parameters == expected


@pytest.mark.parametrize("overrides", ["A", "=1", 'A="open', 7, ["A=1", 7], {"A": {"B": 1}}])
def test_overrides_that_cannot_be_read_name_their_place(overrides: object) -> None:
    with pytest.raises(InvalidConfiguration, match=r"samconfig.toml: default\.deploy\.parameters"):
        read(parameter_overrides=overrides)


@pytest.mark.parametrize(
    "capabilities", ["CAPABILITY_IAM CAPABILITY_AUTO_EXPAND", ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]]
)
def test_capabilities_as_text_and_as_a_list(capabilities: object) -> None:
    assert read(capabilities=capabilities).capabilities == ("CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND")


def test_a_command_adds_to_what_all_commands_share() -> None:
    shared = {"stack_name": "shared", "capabilities": "CAPABILITY_IAM"}
    data = {"prod": {"global": {"parameters": shared}, "deploy": {"parameters": {"stack_name": "prod"}}}}
    deployment = read_deployments(data, "samconfig.toml")["prod"]
    assert (deployment.stack_name, deployment.capabilities) == ("prod", ("CAPABILITY_IAM",))


@pytest.mark.parametrize("data", [{"default": {"deploy": 3}}, {"default": {"deploy": {"parameters": []}}}])
def test_a_section_of_another_shape_is_refused(data: dict) -> None:
    with pytest.raises(InvalidConfiguration, match="must be a table"):
        read_deployments(data, "samconfig.toml")
