from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from functions.complete_release.handler import Request, handle
from tidegate.domain.errors import ClaimLost
from tidegate.domain.ledger import ClaimState, Outcome

if TYPE_CHECKING:
    from tests.scene import Scene


def test_a_release_is_closed_told_and_its_claim_freed(scene: Scene) -> None:
    scene.open()
    scene.listen()
    response = handle(Request(release=scene.ref), scene.tools)
    assert response.seconds >= 300
    release = scene.tools.ledger.release(scene.ref)
    assert release.outcome is Outcome.PROMOTED
    assert release.closed_at is not None
    claim = scene.tools.ledger.read_claim(scene.service)
    assert claim is not None
    assert claim.state is ClaimState.FREE
    assert scene.heard()["detail-type"] == "Release Completed"


def test_a_release_that_lost_its_claim_is_not_closed(scene: Scene) -> None:
    scene.open()
    scene.lose()
    with pytest.raises(ClaimLost):
        handle(Request(release=scene.ref), scene.tools)
    assert scene.tools.ledger.release(scene.ref).outcome is Outcome.OPEN


def test_a_run_that_died_after_freeing_the_claim_is_repeated_without_harm(scene: Scene) -> None:
    scene.open()
    first = handle(Request(release=scene.ref), scene.tools)
    closed = scene.tools.ledger.release(scene.ref)
    assert handle(Request(release=scene.ref), scene.tools).seconds == pytest.approx(first.seconds)
    assert scene.tools.ledger.release(scene.ref) == closed
    assert len(scene.told()) == 1


def test_a_release_that_is_complete_stays_so_where_nobody_can_be_told(scene: Scene) -> None:
    """The first refusal is tried again later; after the second the ledger alone tells."""
    scene.open()
    scene.refuse_events()
    with pytest.raises(ClientError, match="InternalFailure"):
        handle(Request(release=scene.ref), scene.tools)
    assert handle(Request(release=scene.ref), scene.tools).seconds >= 300
    assert scene.tools.ledger.release(scene.ref).outcome is Outcome.PROMOTED
    claim = scene.tools.ledger.read_claim(scene.service)
    assert claim is not None
    assert claim.state is ClaimState.FREE
    assert scene.told()[-1].startswith("the event Release Completed could not be told")
