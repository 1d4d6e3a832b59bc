from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from functions.open_release.claims import find_newest
from functions.open_release.handler import Request, Response, handle
from tidegate.domain.ledger import ClaimState, Outcome

if TYPE_CHECKING:
    from tests.scene import Scene


RUNNING: dict[tuple[str, str], str] = {}


def request(scene: Scene, **changes: Any) -> Request:
    values = {
        "commit": scene.commit,
        "attempt": 1,
        "execution": scene.ref.execution,
        "started_at": scene.ref.opened_at,
    }
    return Request.model_validate(values | changes)


def run(scene: Scene, name: str) -> str:
    """The ARN of a running execution, the same one for the same name."""
    if (scene.unique, name) not in RUNNING:
        RUNNING[scene.unique, name] = scene.run(name)
    return RUNNING[scene.unique, name]


def newer(scene: Scene, seconds: int = 60) -> Request:
    commit = scene.commit.model_copy(update={"id": "f" * 40})
    at = scene.ref.opened_at + timedelta(seconds=seconds)
    return request(scene, commit=commit, execution=run(scene, "other"), started_at=at)


def free(scene: Scene, response: Response) -> None:
    scene.tools.ledger.free_claim(response.release)


@pytest.fixture(autouse=True)
def running(scene: Scene) -> None:
    """The release's execution runs: whoever waits looks at that."""
    scene.ref = scene.make_ref(execution=scene.run("release"))


def test_a_release_is_opened_claimed_and_told(scene: Scene) -> None:
    scene.listen()
    response = handle(request(scene), scene.tools)
    assert (response.status, response.release) == ("opened", scene.ref)
    claim = scene.tools.ledger.check_epoch(response.release)
    assert (claim.holder, claim.state, claim.epoch) == (scene.ref.execution, ClaimState.HELD, 1)
    assert scene.tools.ledger.release(scene.ref).outcome is Outcome.OPEN
    assert scene.told() == ["opened for commit 0123456789ab on main"]
    event = scene.heard()
    assert event["detail-type"] == "Release Started"
    assert scene.service in event["detail"]["message"]


def test_the_task_twice_opens_once(scene: Scene) -> None:
    first = handle(request(scene), scene.tools)
    assert handle(request(scene), scene.tools) == first
    assert len(scene.told()) == 1


def test_the_same_release_by_another_execution_is_a_duplicate(scene: Scene) -> None:
    handle(request(scene), scene.tools)
    response = handle(request(scene, execution="arn:other"), scene.tools)
    assert response.status == "duplicate"
    assert scene.ref.execution in response.reason


def test_a_second_release_waits_for_the_first_and_then_has_a_higher_epoch(scene: Scene) -> None:
    first = handle(request(scene), scene.tools)
    waiting = handle(newer(scene), scene.tools)
    assert (waiting.status, waiting.wait_seconds) == ("waiting", 20)
    assert waiting.reason == f"release {scene.ref.id} is under way"
    free(scene, first)
    opened = handle(newer(scene), scene.tools)
    assert (opened.status, opened.release.epoch) == ("opened", 2)


def test_of_those_that_wait_the_newest_goes_on(scene: Scene) -> None:
    first = handle(request(scene), scene.tools)
    older, newest = (
        newer(scene, 60),
        newer(scene, 120).model_copy(update={"attempt": 2, "execution": run(scene, "third")}),
    )
    assert handle(older, scene.tools).status == "waiting"
    assert handle(newest, scene.tools).status == "waiting"
    scene.listen()
    for _ in range(2):
        overtaken = handle(older, scene.tools)
        assert (overtaken.status, overtaken.error) == ("refused", "Superseded")
        event = scene.heard()
        assert event["detail-type"] == "Release Superseded"
        assert event["detail"]["release"] == overtaken.release.id
    assert scene.tools.ledger.release(overtaken.release).outcome is Outcome.SUPERSEDED
    free(scene, first)
    assert handle(newest, scene.tools).status == "opened"


def test_an_older_commit_is_never_released_after_a_newer_one(scene: Scene) -> None:
    free(scene, handle(newer(scene), scene.tools))
    assert handle(request(scene), scene.tools).error == "Superseded"


def test_a_release_that_has_its_claim_is_not_overtaken_by_one_that_waits(scene: Scene) -> None:
    """The task took the claim and died; a newer release came before its retry."""
    handle(request(scene), scene.tools)
    assert handle(newer(scene), scene.tools).status == "waiting"
    assert handle(request(scene), scene.tools).status == "opened"


def test_nothing_is_released_before_an_operator_has_repaired(scene: Scene) -> None:
    scene.claim(state=ClaimState.OPERATOR)
    response = handle(newer(scene), scene.tools)
    assert (response.status, response.error) == ("refused", "NeedsOperator")
    assert response.reason.endswith(f"needs an operator first: tidegate rollback {scene.service}")


@pytest.mark.parametrize("commits", [3])
def test_commits_in_a_row_raise_the_epoch_each(scene: Scene, commits: int) -> None:
    for number in range(1, commits + 1):
        response = handle(
            request(scene, attempt=number, execution=run(scene, f"number-{number}")), scene.tools
        )
        assert response.release.epoch == number
        free(scene, response)


def test_an_execution_that_has_ended_opens_nothing(scene: Scene) -> None:
    """It was stopped while the task ran: the event of its end found no claim to repair."""
    scene.cloud.client("stepfunctions").stop_execution(executionArn=scene.ref.execution)
    response = handle(request(scene), scene.tools)
    assert (response.status, response.error) == ("refused", "ExecutionEnded")
    claim = scene.tools.ledger.read_claim(scene.service)
    assert claim is not None
    assert claim.state is ClaimState.FREE
    assert scene.tools.ledger.release(response.release).outcome is Outcome.REJECTED
    assert handle(newer(scene), scene.tools).status == "opened"


def test_of_many_that_ask_at_once_the_newest_stays_known(scene: Scene) -> None:
    refs = [
        scene.ref.model_copy(
            update={"id": f"{n:012d}-1", "opened_at": scene.ref.opened_at + timedelta(seconds=n)}
        )
        for n in range(12)
    ]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda ref: find_newest(ref, scene.tools), reversed(refs)))
    assert find_newest(refs[0], scene.tools) == refs[-1]


@pytest.mark.parametrize(("waited", "seconds"), [(0, 20), (399, 20), (3600, 180), (86_400, 1200)])
def test_who_waits_long_asks_seldom(scene: Scene, waited: int, seconds: int) -> None:
    handle(request(scene), scene.tools)
    later = newer(scene)
    with scene.at(later.started_at + timedelta(seconds=waited)):
        waiting = handle(later, scene.tools)
    assert (waiting.status, waiting.wait_seconds) == ("waiting", seconds)
