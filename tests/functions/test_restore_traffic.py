from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from functions.restore_traffic.handler import Request, Response, handle
from tidegate.domain.errors import ClaimLost, RestoreFailed
from tidegate.domain.ledger import ClaimState, Failure, Outcome
from tidegate.domain.rollouts import RollingFunction, point

if TYPE_CHECKING:
    from tests.scene import Scene

FAILURE = Failure(state="JudgeCanary", error="CanaryFailed", cause="Place: canary failed 9 of 9 requests")


@pytest.fixture
def functions(scene: Scene) -> list[RollingFunction]:
    scene.open()
    found = [scene.function(name) for name in ("Place", "Ship", "Bill")]
    scene.rollout(scene.staging, found[2])
    scene.rollout(scene.production, *found[:2])
    scene.move(found[0], "1", v2=0.5)
    scene.move(found[1], "2")
    scene.move(found[2], "2")
    return found


def restore(scene: Scene) -> Response:
    return handle(Request(release=scene.ref, failure=FAILURE), scene.tools)


def test_every_alias_of_every_stage_is_put_back(scene: Scene, functions: list[RollingFunction]) -> None:
    assert restore(scene).restored == 3
    assert [scene.pointing(function) for function in functions] == [point(f, 0) for f in functions]
    assert restore(scene).restored == 3
    (told,) = scene.told()
    assert told == f"restored 3 aliases; {FAILURE.reason}"


def test_a_release_that_is_complete_is_not_taken_back_by_its_own_end(
    scene: Scene, functions: list[RollingFunction]
) -> None:
    """The release was closed as promoted; then freeing its claim failed for good."""
    last = Failure(state="CompleteRelease", error="ClientError", cause="the table was away")
    request = Request(release=scene.ref, failure=last)
    scene.tools.ledger.close_release(scene.ref, Outcome.PROMOTED, "", scene.tools.now(), under=scene.ref)
    with pytest.raises(ClaimLost, match="is complete"):
        handle(request, scene.tools)
    assert scene.pointing(functions[1]).version == "2"
    claim = scene.tools.ledger.read_claim(scene.service)
    assert claim is not None
    assert claim.state is ClaimState.FREE


def test_a_release_that_could_not_be_closed_is_taken_back(
    scene: Scene, functions: list[RollingFunction]
) -> None:
    last = Failure(state="CompleteRelease", error="ClientError", cause="the table was away")
    assert handle(Request(release=scene.ref, failure=last), scene.tools).restored == len(functions)


def test_what_somebody_else_moved_in_the_middle_of_a_rollout_is_not_fought(
    scene: Scene, functions: list[RollingFunction]
) -> None:
    """Only where the rollout stopped because of it, and where none of its traffic is on the new version."""
    scene.move(functions[0], "$LATEST")
    foreign = Failure(state="ShiftTraffic", error="ForeignChange", cause="somebody else moved it")
    response = handle(Request(release=scene.ref, failure=foreign), scene.tools)
    assert response.restored == 2
    assert scene.pointing(functions[0]).version == "$LATEST"
    assert [scene.pointing(function) for function in functions[1:]] == [point(f, 0) for f in functions[1:]]
    where = f"{functions[0].name}:live"
    assert f"restored 2 aliases, left {where} where somebody else moved them" in scene.told()[0]


def test_a_foreign_version_that_shares_with_the_new_one_is_overruled(
    scene: Scene, functions: list[RollingFunction]
) -> None:
    scene.change(functions[0].name, "def handler(event, context):\n    return 'third'\n")
    third = scene.lambdas.publish_version(FunctionName=functions[0].name)["Version"]
    scene.move(functions[0], third, v2=0.5)
    foreign = Failure(state="ShiftTraffic", error="ForeignChange", cause="somebody else moved it")
    assert handle(Request(release=scene.ref, failure=foreign), scene.tools).restored == 3
    assert scene.pointing(functions[0]) == point(functions[0], 0)


def test_an_alias_that_was_never_shifted_is_fenced_too(
    scene: Scene, functions: list[RollingFunction]
) -> None:
    """A late write of the release must fail on it: its revision has changed."""
    scene.move(functions[0], "1")
    before = scene.lambdas.get_alias(FunctionName=functions[0].name, Name="live")["RevisionId"]
    restore(scene)
    assert scene.lambdas.get_alias(FunctionName=functions[0].name, Name="live")["RevisionId"] != before


def test_one_that_cannot_be_put_back_does_not_keep_the_others(
    scene: Scene, functions: list[RollingFunction]
) -> None:
    scene.lambdas.delete_alias(FunctionName=functions[0].name, Name="live")
    with pytest.raises(RestoreFailed, match=f"{functions[0].name}:live"):
        restore(scene)
    assert scene.pointing(functions[1]) == point(functions[1], 0)


def test_a_foreign_version_does_not_stop_a_rollback(scene: Scene, functions: list[RollingFunction]) -> None:
    scene.move(functions[0], "$LATEST")
    assert restore(scene).restored == 3
    assert scene.pointing(functions[0]) == point(functions[0], 0)


def test_a_later_rollback_is_left_alone(scene: Scene, functions: list[RollingFunction]) -> None:
    scene.lose()
    with pytest.raises(ClaimLost):
        restore(scene)
    assert scene.pointing(functions[1]) == point(functions[1], 100)


def test_what_failed_before_any_rollout_has_nothing_to_restore(scene: Scene) -> None:
    scene.open()
    assert restore(scene).restored == 0
    assert scene.told() == [FAILURE.reason]
