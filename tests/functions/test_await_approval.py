from __future__ import annotations

from typing import TYPE_CHECKING

from functions.await_approval.handler import Request, handle
from tidegate.domain.approvals import ApprovalRequest, approval_key

if TYPE_CHECKING:
    from tests.scene import Scene


def test_the_newest_token_is_kept_and_people_are_asked(scene: Scene) -> None:
    scene.open()
    scene.listen()
    for token in ("void", "valid"):
        handle(Request(release=scene.ref, stage="production", token=token), scene.tools)
    body = scene.tools.ledger.document(scene.service, approval_key(scene.ref.id, "production"))
    assert body is not None
    asked = ApprovalRequest.model_validate_json(body)
    assert (asked.token, asked.stage, asked.release_id) == ("valid", "production", scene.ref.id)
    assert scene.told() == ["waiting for approval of production"]
    event = scene.heard()
    assert event["detail-type"] == "Approval Requested"
    assert f"tidegate approve {scene.service} {scene.ref.id}" in event["detail"]["message"]


def test_a_token_is_told_to_nobody(scene: Scene) -> None:
    scene.listen()
    handle(Request(release=scene.ref, stage="production", token="s3cret-token"), scene.tools)
    assert "s3cret-token" not in str(scene.heard())
    assert "s3cret-token" not in str(scene.tools.ledger.entries(scene.service, scene.ref.id))
