"""Several at once: one service has one writer, and an older commit never overtakes a newer one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.pipelines.traffic import Traffic
from tidegate.cli.rollback import start_rollback
from tidegate.domain.ledger import ClaimState, Outcome

if TYPE_CHECKING:
    from tests.pipelines.services import Service
    from tidegate.cli.push import Pushed


def span(service: Service, pushed: Pushed) -> tuple[object, object]:
    """When the release wrote to stacks and aliases: its first and last step after the plan."""
    times = [e.at for e in service.entries(pushed) if e.stage]
    return (min(times), max(times)) if times else (None, None)


def test_two_commits_pushed_at_once(service: Service) -> None:
    """They go one after the other, or the older one gives way; the newer one is what remains."""
    service.config["stages"]["production"]["strategy"] = "AllAtOnce"
    service.change()
    older = service.repository.git("rev-parse", "HEAD")
    answer = service.change()
    first, second = service.push(older), service.push()
    service.await_end(first)
    service.await_end(second)
    assert service.outcome(second) is Outcome.PROMOTED, service.tell(second)
    assert service.outcome(first) in {Outcome.PROMOTED, Outcome.SUPERSEDED}, service.tell(first)
    if service.outcome(first) is Outcome.PROMOTED:
        assert span(service, first)[1] < span(service, second)[0]
        assert "WaitForClaim" in service.path(second)
    service.live = answer
    service.check_settled()


def test_the_same_event_three_times(service: Service) -> None:
    service.config["stages"]["production"]["strategy"] = "AllAtOnce"
    answer = service.change()
    pushed, *_ = (service.push() for _ in range(3))
    service.await_end(pushed)
    service.push()
    service.live = answer
    machine = service.pipeline.resources.release_machine
    found = service.pipeline.machines.list_executions(stateMachineArn=machine)["executions"]
    assert len([one for one in found if pushed.release_id in one["name"]]) == 1
    assert service.outcome(pushed) is Outcome.PROMOTED, service.tell(pushed)
    assert len([e for e in service.entries(pushed) if e.step == "ShiftTraffic"]) == 2
    service.check_settled()


def test_a_second_release_waits_while_one_is_shifting(service: Service) -> None:
    service.change()
    first = service.push()
    with Traffic(service):
        service.await_entry(first, "ShiftTraffic", "production")
        service.live = service.change()
        second = service.push()
        service.await_end(first)
        service.await_end(second)
    assert service.outcome(first) is Outcome.PROMOTED, service.tell(first)
    assert service.outcome(second) is Outcome.PROMOTED, service.tell(second)
    assert "WaitForClaim" in service.path(second)
    assert span(service, first)[1] < span(service, second)[0]
    service.check_settled()


def test_an_older_commit_that_waits_is_superseded_by_a_newer_one(service: Service) -> None:
    """While one release is running, two more arrive: the one in the middle is never released."""
    service.config["stages"]["production"]["approval"] = "required"
    service.change()
    running = service.push()
    service.await_entry(running, "AwaitApproval", "production")
    service.reset()
    service.config["stages"]["production"]["strategy"] = "AllAtOnce"
    service.change()
    older = service.push()
    service.until(lambda: "WaitForClaim" in service.path_or_nothing(older), lambda: service.tell(older))
    answer = service.change()
    newer = service.push()
    service.until(lambda: "WaitForClaim" in service.path_or_nothing(newer), lambda: service.tell(newer))
    service.pipeline.machines.stop_execution(executionArn=service.arn(running))
    for pushed in (running, older, newer):
        service.await_end(pushed)
    assert service.outcome(older) is Outcome.SUPERSEDED, service.tell(older)
    assert service.path(older)[-1] == "Rejected"
    assert service.outcome(newer) is Outcome.PROMOTED, service.tell(newer)
    service.live = answer
    service.check_settled()


def test_an_operator_takes_a_running_release_back(service: Service) -> None:
    service.change()
    pushed = service.push()
    service.await_entry(pushed, "JudgeCanary", "production")
    start_rollback(service.pipeline, service.name, "I do not like it")
    service.await_end(pushed)
    assert service.outcome(pushed) is Outcome.ROLLED_BACK, service.tell(pushed)
    assert service.describe(service.arn(pushed))["status"] in {"ABORTED", "FAILED"}
    assert "I do not like it" in service.entries(pushed)[-1].what
    service.check_settled()


def test_an_operator_takes_a_completed_release_back(service: Service) -> None:
    service.config["stages"]["production"]["strategy"] = "AllAtOnce"
    before = service.live
    pushed = service.release_good()
    assert service.live != before
    start_rollback(service.pipeline, service.name, "too slow")
    service.until(lambda: service.outcome(pushed) is Outcome.ROLLED_BACK, lambda: service.tell(pushed))
    service.await_end(pushed)
    service.live = before
    service.check_settled()
    service.release_good()


def test_a_stack_whose_rollback_failed_needs_an_operator(fresh: Service) -> None:
    """Somebody has deleted a queue by hand, so that CloudFormation can neither go on nor go back."""
    queue: dict[str, Any] = {"DelaySeconds": 1}
    fresh.resources["Queue"] = {"Type": "AWS::SQS::Queue", "Properties": queue}
    fresh.change()
    fresh.release_good()
    found = fresh.standing("staging")
    fresh.client("sqs").delete_queue(QueueUrl=found["Queue"])
    queue["DelaySeconds"] = 2
    fresh.change()
    pushed = fresh.release()
    assert fresh.outcome(pushed) is Outcome.NEEDS_OPERATOR, fresh.tell(pushed)
    assert fresh.path(pushed)[-1] == "NeedsOperator"
    assert "UPDATE_ROLLBACK_FAILED" in fresh.record(pushed).reason
    claim = fresh.claim()
    assert claim is not None
    assert claim.state is ClaimState.OPERATOR
    assert set(fresh.ask()) == {fresh.live}
    assert not fresh.weights()
