from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import machine
from tidegate.adapters.plans import write_plan
from tidegate.domain.config import StageConfig
from tidegate.domain.ledger import Outcome
from tidegate.domain.plans import Plan, StagePlan
from tidegate.domain.triggers import OperatorAsked, read_trigger

if TYPE_CHECKING:
    from tests.cli.conftest import World

RESTORED = {"status": "rolled_back", "reason": "DiagnoseRollback: OperatorRequest: an operator asked"}
NOTHING = {"action": "none", "reason": "release aaaaaaaaaaaa-1 is rolled_back already"}
STUCK = machine({"NeedsOperator": {"Type": "Fail", "Error": "NeedsOperator", "Cause": "RestoreTraffic: no"}})

STAGE_PLAN = StagePlan(
    stage="production",
    account="123456789012",
    region="us-east-1",
    production=True,
    stack_name="orders-production",
    creates_stack=False,
    change_set=None,
    changes=(),
    functions=(),
    config=StageConfig(),
    at_once=(),
)


def ends_with(output: object) -> str:
    return machine({"Restored": {"Type": "Pass", "Result": output, "End": True}})


def make(world: World, definition: str) -> None:
    world.pipeline.machines.create_state_machine(
        name="tidegate-rollback", definition=definition, roleArn="arn:aws:iam::123456789012:role/machine"
    )


def test_machine_is_told_who_asks_and_why(world: World) -> None:
    world.release("a" * 40, outcome=Outcome.PROMOTED)
    make(world, ends_with(RESTORED))
    done = world.call("rollback", "orders", "--reason", "prices are wrong")
    assert done.exit_code == 0, done.output
    machines = world.pipeline.machines
    listed = machines.list_executions(stateMachineArn=world.pipeline.resources.rollback_machine)
    execution = listed["executions"][0]
    assert execution["name"].startswith("operator-orders-")
    assert done.output.startswith(f"rolling back orders aaaaaaaaaaaa-1: {execution['name']}")
    event = json.loads(machines.describe_execution(executionArn=execution["executionArn"])["input"])
    asked = read_trigger(event)
    assert isinstance(asked, OperatorAsked)
    assert asked.service == "orders"
    assert asked.reason.startswith("prices are wrong (arn:aws:sts::")


@pytest.mark.parametrize(
    ("definition", "code", "said"),
    [
        (ends_with(RESTORED), 0, "orders aaaaaaaaaaaa-1 is taken back: DiagnoseRollback: OperatorRequest"),
        (ends_with(NOTHING), 1, "nothing was taken back by this rollback: release aaaaaaaaaaaa-1 is rolled"),
        (STUCK, 5, "the rollback ended as FAILED: NeedsOperator: RestoreTraffic: no"),
    ],
)
def test_wait_says_how_it_ended(world: World, definition: str, code: int, said: str) -> None:
    world.release("a" * 40, outcome=Outcome.PROMOTED)
    make(world, definition)
    done = world.call("rollback", "orders", "--wait")
    assert done.exit_code == code
    assert said in done.output


def test_service_without_a_release_starts_nothing(world: World) -> None:
    world.release("a" * 40)
    done = world.call("rollback", "order")
    assert done.stderr == "error: order has never been released; released services: orders\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--json",), "--json goes with --list"),
        (("--list", "--to", "aaaa"), "not with --to, --reason or --wait"),
        (("--list", "--wait"), "not with --to, --reason or --wait"),
        (("--list", "--reason", "x"), "not with --to, --reason or --wait"),
        (("--stage", "production"), "--stage goes with --to"),
    ],
)
def test_options_that_would_do_nothing_are_wrong_usage(
    world: World, options: tuple[str, ...], said: str
) -> None:
    world.release("a" * 40, outcome=Outcome.PROMOTED)
    done = world.call("rollback", "orders", *options)
    assert done.exit_code == 2
    assert said in done.stderr


def test_stage_that_there_is_not_is_named_before_the_release(world: World) -> None:
    release = world.release("a" * 40, outcome=Outcome.PROMOTED)
    plan = Plan(service="orders", release_id=release.ref.id, commit=release.commit, stages=(STAGE_PLAN,))
    write_plan(world.pipeline.documents, release.ref, plan)
    done = world.call("rollback", "orders", "--stage", "nostage", "--to", "aaaa")
    assert (done.exit_code, done.stderr) == (1, "error: orders has no stage nostage; it has production\n")


def test_pruning_what_was_never_released_is_an_error(world: World) -> None:
    world.release("a" * 40)
    done = world.call("prune", "order", "--dry-run")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "error: order has never been released; released services: orders\n"
