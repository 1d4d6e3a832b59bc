"""The definitions as they stand: whole, commented, caught, and of one name with the functions."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from functions.audit_release.audit import LAST_ATTEMPT

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
NAMES = ("release", "rollback")
SHARED = ("RestoreTraffic", "UndoRelease", "VerifyRecovery")
MOST_STATES = 36


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "statemachines" / f"{name}.asl.json").read_text())
    return found


def scopes(machine: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The machine and every machine within one of its states."""
    yield machine
    for state in machine["States"].values():
        for inner in (state.get("ItemProcessor"), *state.get("Branches", ())):
            if inner:
                yield from scopes(inner)


def all_states(name: str) -> dict[str, dict[str, Any]]:
    return {key: state for scope in scopes(read(name)) for key, state in scope["States"].items()}


def targets(state: dict[str, Any]) -> set[str]:
    found = {state.get("Next"), state.get("Default")}
    found |= {branch["Next"] for key in ("Choices", "Catch") for branch in state.get(key, ())}
    return {name for name in found if name}


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


CASES = [(name, key) for name in NAMES for key in all_states(name)]
TASKS = [(name, key) for name, key in CASES if all_states(name)[key]["Type"] == "Task"]


@pytest.mark.parametrize("name", NAMES)
def test_a_machine_is_small_limited_in_time_and_in_jsonata(name: str) -> None:
    machine = read(name)
    assert machine["QueryLanguage"] == "JSONata"
    assert machine["Comment"]
    assert machine["TimeoutSeconds"] > 0
    assert len(all_states(name)) <= MOST_STATES
    for state in all_states(name).values():
        assert not {"InputPath", "OutputPath", "ResultPath", "Parameters", "ResultSelector"} & set(state)
        assert not any(key.endswith(".$") for key in state.get("Arguments", {}))


@pytest.mark.parametrize(("name", "key"), CASES)
def test_a_state_says_what_it_is_for(name: str, key: str) -> None:
    assert all_states(name)[key]["Comment"].endswith((".", "?"))


@pytest.mark.parametrize("name", NAMES)
def test_every_way_leads_somewhere_and_every_state_is_on_one(name: str) -> None:
    for scope in scopes(read(name)):
        states = scope["States"]
        seen, pending = set(), [scope["StartAt"]]
        while pending:
            key = pending.pop()
            assert key in states, key
            if key not in seen:
                seen.add(key)
                pending += targets(states[key])
        assert seen == set(states)
        for key, state in states.items():
            ends = state.get("End") or state["Type"] in {"Succeed", "Fail"}
            onwards = targets({name: value for name, value in state.items() if name != "Catch"})
            assert bool(ends) != bool(onwards), key


def is_slow(retry: dict[str, Any]) -> bool:
    """Whether a retry waits for CloudFormation."""
    return set(retry["ErrorEquals"]) <= {"AlarmsPending", "HoldsPending", "StackPending"}


@pytest.mark.parametrize(("name", "key"), TASKS)
def test_a_task_is_retried_caught_and_limited_in_time(name: str, key: str) -> None:
    state = all_states(name)[key]
    assert state["TimeoutSeconds"]
    retried = {error for retry in state["Retry"] for error in retry["ErrorEquals"]}
    assert {"Lambda.ServiceException", "Lambda.TooManyRequestsException", "Lambda.Unknown"} <= retried
    assert "States.ALL" not in retried
    # What waits for CloudFormation comes back for hours, at growing intervals; all else gives up within one.
    most = {True: 720, False: 60}
    assert all(retry["MaxAttempts"] <= most[is_slow(retry)] for retry in state["Retry"])
    if key in {"BuildFunction", "AwaitBuilds"}:
        state = all_states(name)["BuildFunctions"]  # the map catches for what is within it
    assert state["Catch"][-1]["ErrorEquals"] == ["States.ALL"]
    assert all("failure" in catch["Assign"] for catch in state["Catch"])


@pytest.mark.parametrize(("name", "key"), TASKS)
def test_a_step_has_one_name(name: str, key: str) -> None:
    arguments = all_states(name)[key]["Arguments"]
    folder = re.sub(r"(?<!^)(?=[A-Z])", "_", key).lower()
    assert arguments["FunctionName"] == f"${{{key}}}"
    assert (ROOT / "functions" / folder / "handler.py").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_substitutions_name_functions_only(name: str) -> None:
    found = {match for text in texts(read(name)) for match in re.findall(r"\$\{(\w+)\}", text)}
    assert found == {key for machine, key in TASKS if machine == name}


@pytest.mark.parametrize(("name", "key"), CASES)
def test_a_failure_is_told_by_the_state_that_it_happened_in(name: str, key: str) -> None:
    for catch in all_states(name)[key].get("Catch", ()):
        if catch["ErrorEquals"] == ["BuildsElsewhere"]:
            continue  # no failure: it is waited for, and comes back
        assert catch["Assign"]["failure"]["state"] == ("BuildFunction" if key == "BuildFunctions" else key)


def without_ways_out(state: dict[str, Any]) -> dict[str, Any]:
    """The state, but for where a failure leads: the rollback machine records what a release leaves to it."""
    catches = [{key: value for key, value in catch.items() if key != "Next"} for catch in state["Catch"]]
    return {**state, "Catch": catches}


@pytest.mark.parametrize("key", SHARED)
def test_both_machines_repair_in_the_same_way(key: str) -> None:
    release, rollback = (all_states(name)[key] for name in NAMES)
    assert without_ways_out(release) == without_ways_out(rollback)


def test_what_loses_its_claim_writes_nothing_more() -> None:
    for name, key in TASKS:
        for catch in all_states(name)[key].get("Catch", ()):
            if "ClaimLost" in catch["ErrorEquals"]:
                assert all_states(name)[catch["Next"]]["Type"] in {"Fail", "Succeed"}


def test_a_release_succeeds_in_two_ways_only() -> None:
    """Promoted, or released before: everything else ends in a state of type Fail."""
    states = all_states("release")
    ends = {key for key, state in states.items() if state["Type"] == "Succeed" or state.get("End")}
    assert ends == {"AlreadyReleased", "CompleteRelease", "BuildFunction"}
    fails = {key: state["Error"] for key, state in states.items() if state["Type"] == "Fail"}
    assert fails == {key: key for key in ("NeedsOperator", "Rejected", "RolledBack")}


OUTAGE = 180  # seconds that S3 or DynamoDB may be away without an alias staying split


@pytest.mark.parametrize(
    ("name", "state"),
    [("release", "RestoreTraffic"), ("rollback", "DiagnoseRollback"), ("rollback", "RestoreTraffic")],
)
def test_what_restores_traffic_is_tried_for_longer_than_an_outage(name: str, state: str) -> None:
    """By the mean of full jitter, half of each interval."""
    retry = next(one for one in all_states(name)[state]["Retry"] if "ClientError" in one["ErrorEquals"])
    intervals = [
        min(retry["MaxDelaySeconds"], retry["IntervalSeconds"] * retry["BackoffRate"] ** number)
        for number in range(retry["MaxAttempts"])
    ]
    assert sum(intervals) / 2 > OUTAGE * 1.3


def test_the_audit_knows_its_last_attempt() -> None:
    """By then the policy decides what a scanner means that does not answer."""
    state = all_states("release")["AuditRelease"]
    retry = next(one for one in state["Retry"] if one["ErrorEquals"] == ["ScannerUnavailable"])
    assert retry["MaxAttempts"] == LAST_ATTEMPT
    assert state["Arguments"]["Payload"]["attempt"] == "{% $states.context.State.RetryCount %}"


def test_what_is_released_is_audited_before_any_stage() -> None:
    states = all_states("release")
    assert states["TestFunction"]["Next"] == "AuditRelease"
    before, seen = ["OpenRelease"], set()
    while before:
        key = before.pop()
        if key not in seen and key != "AuditRelease":
            seen.add(key)
            before += targets({name: value for name, value in states[key].items() if name != "Catch"})
    assert "EnterStage" not in seen
    assert "PlanRelease" not in seen


def test_traffic_is_restored_before_anything_else_is_undone() -> None:
    for name in NAMES:
        states = all_states(name)
        leads_to_undo = {key for key, state in states.items() if "UndoRelease" in targets(state)}
        # DiagnoseRollback restores traffic itself; what it could not restore goes through RestoreTraffic.
        at_once = {"IsRollbackNeeded"} if name == "rollback" else set()
        assert leads_to_undo == {"RestoreTraffic", "WaitForRecovery", *at_once}


def test_from_an_alarm_to_restored_traffic_one_function_is_called() -> None:
    states, machine = all_states("rollback"), read("rollback")
    assert machine["StartAt"] == "DiagnoseRollback"
    ways = {choice["Condition"]: choice["Next"] for choice in states["IsRollbackNeeded"]["Choices"]}
    assert ways["{% $states.input.action = 'restored' %}"] == "UndoRelease"
