"""Errors are a closed list: what the machines catch by name exists, and what exists is raised."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from typing import Any

import botocore.exceptions
import pytest

from tests.architecture.modules import ROOT, modules
from tidegate.domain import errors

CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value)
    and issubclass(value, errors.TidegateError)
    and value is not errors.TidegateError
}
PLATFORM = re.compile(r"(Lambda|States|Sandbox|Runtime)\.\w+")
# Faults of the surroundings that are retried and never a verdict on the service, by where they are made.
FAULTS = {"RegistryUnreachable": "tidegate.adapters.installs"}
# A person's no, and an approval's end of time, are said by whoever answers the task token.
SAID_ELSEWHERE = {"ApprovalRejected"}


def error_names(value: Any) -> set[str]:
    """Every name under an ErrorEquals, however deep."""
    if isinstance(value, list):
        return {name for item in value for name in error_names(item)}
    if not isinstance(value, dict):
        return set()
    deeper = {name for item in value.values() for name in error_names(item)}
    return deeper | set(value.get("ErrorEquals", ()))


def machine(name: str) -> Any:
    return json.loads((ROOT / "statemachines" / f"{name}.asl.json").read_text())


@pytest.mark.parametrize("name", ["release", "rollback"])
def test_every_name_that_a_machine_catches_exists(name: str) -> None:
    for found in error_names(machine(name)):
        known = found in CLASSES or PLATFORM.fullmatch(found) or hasattr(botocore.exceptions, found)
        if found in FAULTS:
            known = hasattr(importlib.import_module(FAULTS[found]), found)
        assert known, found


def test_every_error_of_the_list_is_raised() -> None:
    source = "".join(
        module.path.read_text()
        for folder in ("tidegate", "functions")
        for module in modules(folder)
        if module.name != "tidegate.domain.errors"
    )
    raised = (
        set(re.findall(r"\b([A-Z]\w+)\(", source)) | set(re.findall(r"\"(\w+)\"", source)) & SAID_ELSEWHERE
    )
    assert set(CLASSES) <= raised


def test_an_error_that_asks_to_wait_is_retried_by_name() -> None:
    pending = {name for name in CLASSES if name.endswith("Pending")}
    retried = {
        name
        for state in machine("release")["States"].values()
        for step in (state, *state.get("ItemProcessor", {}).get("States", {}).values())
        for retry in step.get("Retry", ())
        for name in retry["ErrorEquals"]
    }
    assert pending == {
        "AlarmsPending",
        "BuildsPending",
        "ChangeSetsPending",
        "HoldsPending",
        "ImagesPending",
        "ImportsPending",
        "PreflightPending",
        "ProvisioningPending",
        "StackPending",
        "VersionsPending",
    }
    assert pending <= retried


def test_a_message_names_its_place() -> None:
    error = errors.InvalidConfiguration("unknown key", file="tidegate.yaml", line=3)
    assert str(error) == "tidegate.yaml:3: unknown key"
    assert (
        str(errors.InvalidConfiguration("unknown key", file="tidegate.yaml")) == "tidegate.yaml: unknown key"
    )
    assert str(errors.ClaimLost("gone")) == "gone"
    assert (error.file, error.line) == ("tidegate.yaml", 3)


def test_every_error_says_when_it_is_meant() -> None:
    assert all(inspect.getdoc(kind) for kind in CLASSES.values())
