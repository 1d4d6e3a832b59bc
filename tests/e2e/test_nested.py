"""A service whose functions live in nested stacks, through whole releases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.test_releases import ENTER, LEAVE, LOOK, OPEN, STAGING, UNDO
from tests.pipelines.nested import NestedService
from tests.pipelines.services import RAISES, RETURNS_500, compress
from tests.pipelines.traffic import Traffic
from tidegate.adapters.plans import read_plan
from tidegate.adapters.stack_trees import read_standing
from tidegate.domain.ledger import Outcome

if TYPE_CHECKING:
    from tests.pipelines.clouds import Cloud
    from tests.pipelines.services import Service
    from tidegate.cli.push import Pushed
    from tidegate.domain.plans import StagePlan


@pytest.fixture(scope="module")
def tree(pipeline_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> NestedService:
    """A service of two nested stacks with a first release, which every test leaves as healthy."""
    service = NestedService(pipeline_cloud, tmp_path_factory.mktemp("nested"))
    service.change()
    pushed = service.release()
    assert service.outcome(pushed) is Outcome.PROMOTED, service.tell(pushed)
    assert compress(service.path(pushed)) == [*OPEN, *ENTER, *LEAVE, *ENTER, *LEAVE, "CompleteRelease"]
    settle(service)
    return service


def settle(service: NestedService) -> None:
    """What was changed is live."""
    service.lives = dict(service.made)
    check(service)


def check(service: NestedService) -> None:
    service.check_settled()
    assert service.answers() == service.lives


def plan_of(service: Service, pushed: Pushed) -> StagePlan:
    found = service.record(pushed)
    assert found is not None
    return read_plan(service.pipeline.documents, found.ref).stage("production")


def events(service: NestedService, child: str) -> int:
    """How many events the stack of a child has."""
    client, stack = service.client("cloudformation"), service.standing()[child]
    pages = client.get_paginator("describe_stack_events").paginate(StackName=stack)
    return sum(len(page["StackEvents"]) for page in pages)


def test_a_change_of_one_child_leaves_the_other_untouched(tree: NestedService) -> None:
    before = events(tree, "Bills")
    tree.reset()
    tree.change("pass", "Orders")
    with Traffic(tree) as traffic:
        pushed = tree.release()
    assert tree.outcome(pushed) is Outcome.PROMOTED, tree.tell(pushed)
    way = [*OPEN, *STAGING, *ENTER, *LOOK, "IsJudged", *LOOK, "IsJudged", *LEAVE, "CompleteRelease"]
    assert compress(tree.path(pushed)) == way
    plan = plan_of(tree, pushed)
    assert [function.logical_id for function in plan.functions] == ["Orders/Worker"]
    assert "Orders/Worker" in {change.logical_id for change in plan.changes}
    assert not [change for change in plan.changes if change.logical_id.startswith("Bills")]
    assert set(traffic.answers) == {"answer"}
    assert events(tree, "Bills") == before
    settle(tree)


def test_a_bad_version_in_a_child_is_rolled_back(tree: NestedService) -> None:
    tree.reset()
    tree.config["stages"]["production"]["strategy"] = "Canary50Percent10Minutes"  # the evidence takes seconds
    tree.change(RETURNS_500, "Orders")
    with Traffic(tree):
        pushed = tree.release()
    assert tree.outcome(pushed) is Outcome.ROLLED_BACK, tree.tell(pushed)
    assert compress(tree.path(pushed)) == [*OPEN, *STAGING, *ENTER, *LOOK, *UNDO]
    found = tree.record(pushed)
    assert found is not None
    assert "Orders/Worker" in found.reason
    check(tree)
    client = tree.client("cloudformation")
    standing = read_standing(client, f"{tree.name}-production", ("Bills", "Orders"))
    assert all(stack.state.is_healthy for stack in standing.values()), standing
    tree.reset()
    tree.change()  # a good change of both after that
    with Traffic(tree):
        pushed = tree.release()
    assert tree.outcome(pushed) is Outcome.PROMOTED, tree.tell(pushed)
    settle(tree)


def test_what_raises_in_a_child_is_rolled_back_by_the_judge_or_its_alarm(tree: NestedService) -> None:
    tree.reset()
    tree.config["stages"]["production"]["strategy"] = "Canary50Percent10Minutes"  # the evidence takes seconds
    tree.change(RAISES, "Bills")
    with Traffic(tree):
        pushed = tree.release()
    assert tree.outcome(pushed) is Outcome.ROLLED_BACK, tree.tell(pushed)
    found = tree.record(pushed)
    assert found is not None
    assert "Bills/Worker" in found.reason
    check(tree)


def test_what_a_child_drops_goes_after_the_bake(tree: NestedService) -> None:
    tree.reset()
    tree.templates["Orders"]["Resources"]["Old"] = {"Type": "AWS::SQS::Queue"}
    tree.change("pass", "Orders")
    release(tree)
    assert "Orders/Old" in tree.standing()
    tree.reset()
    tree.change("pass", "Orders")
    pushed = release(tree)
    assert plan_of(tree, pushed).held == ("Orders/Old: the AWS::SQS::Queue is removed after the bake",)
    assert "Orders/Old" not in tree.standing()


def test_an_operator_goes_back_to_an_earlier_release_of_a_child(tree: NestedService) -> None:
    tree.reset()
    earlier = dict(tree.lives)
    target = next(one for one in tree.pipeline.ledger.releases(tree.name) if one.outcome is Outcome.PROMOTED)
    tree.templates["Orders"]["Resources"]["Worker"]["Properties"]["Timeout"] = 11
    tree.change("pass", "Orders")
    release(tree)
    said = tree.command("rollback", tree.name, "--to", target.ref.id, "--reason", "prices", "--wait")
    assert said.exit_code == 0, said.output
    tree.lives = earlier
    check(tree)
    lambdas = tree.client("lambda")
    worker = lambdas.get_function_configuration(FunctionName=tree.standing()["Orders/Worker"])
    assert worker["Timeout"] == 10


def release(tree: NestedService) -> Pushed:
    """Release what was committed, which is promoted."""
    with Traffic(tree):
        pushed = tree.release()
    assert tree.outcome(pushed) is Outcome.PROMOTED, tree.tell(pushed)
    settle(tree)
    return pushed
